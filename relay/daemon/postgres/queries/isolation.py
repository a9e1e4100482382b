"""Statements of crash isolation."""

from typing import Final

# The head of a shard in crash isolation: enough to tell which rows the next small step takes.
HEAD: Final = """
SELECT o.id, o.attempts, o.event_id::text
  FROM outbox AS o
 WHERE o.parked_at IS NULL
   AND (o.shard, o.id) > (%(shard)s::smallint, %(after)s::bigint)
   AND (o.shard, o.id) <= (%(shard)s::smallint, %(upto)s::bigint)
   {exclusions}
 ORDER BY o.shard, o.id
 LIMIT %(rows)s
"""

# A relay died on these shards, and maybe on others that nobody has claimed since. What it held was
# at most one lease of their oldest rows.
START_ISOLATION: Final = """
WITH marked AS MATERIALIZED (
    SELECT shard
      FROM outbox_shard
     WHERE xmax::text::bigint = ANY(%(holders)s::bigint[])
       AND isolated_until IS NULL
       FOR UPDATE SKIP LOCKED
),
died AS MATERIALIZED (
    SELECT unnest(%(shards)s::smallint[]) AS shard
     UNION
    SELECT shard FROM marked
),
held AS MATERIALIZED (
    SELECT o.shard, o.id
      FROM died
     CROSS JOIN LATERAL (
               SELECT o.shard, o.id
                 FROM outbox AS o
                WHERE o.parked_at IS NULL
                  AND (o.shard, o.id) > (died.shard, -9223372036854775808)
                  AND (o.shard, o.id) <= (died.shard, 9223372036854775807)
                ORDER BY o.shard, o.id
                LIMIT %(rows)s
           ) AS o
     ORDER BY o.id
     LIMIT %(rows)s
)
UPDATE outbox_shard AS s
   SET isolated_until = (SELECT max(id) FROM held WHERE held.shard = s.shard)
  FROM died
 WHERE s.shard = died.shard
"""

END_ISOLATION: Final = "UPDATE outbox_shard SET isolated_until = NULL WHERE shard = %(shard)s"

# A relay died with these rows in its hands. Its transaction is noted, should it prove to be alive.
BLAME: Final = """
UPDATE outbox
   SET attempts = least(attempts, 32766) + 1,
       last_error = coalesce(
           last_error,
           'relays died while they published this row or one beside it, in the transactions'
       ) || ' ' || %(holder)s
 WHERE id = ANY(ARRAY(
        SELECT id FROM outbox WHERE id = ANY(%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED
    ))
"""

# A relay that lost a lease but lives: locked and committed anew, its shards show no death ...
SURVIVE: Final = """
SELECT shard
  FROM outbox_shard
 WHERE shard = ANY(%(shards)s::smallint[])
   AND xmax::text::bigint = %(transaction)s
   FOR UPDATE SKIP LOCKED
"""

# ... and where the next holder was faster, the blame is taken back. Whoever has a row locked is not
# waited for, since nothing else would be done meanwhile.
FORGIVE: Final = """
WITH blamed AS MATERIALIZED (
        SELECT o.id
          FROM outbox_shard AS s
          JOIN outbox AS o ON o.shard = s.shard AND o.id <= s.isolated_until
         WHERE s.shard = ANY(%(shards)s::smallint[])
           AND o.parked_at IS NULL
           AND o.attempts > 0
           AND strpos(o.last_error || ' ', ' ' || %(transaction)s || ' ') > 0
           FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox AS o
   SET attempts = o.attempts - 1,
       last_error = CASE
           WHEN o.attempts > 1 THEN replace(o.last_error || ' ', ' ' || %(transaction)s || ' ', ' ')
       END
  FROM blamed
 WHERE o.id = blamed.id
"""
