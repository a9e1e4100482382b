"""Statements that settle rows: delete, park, and find what cannot be settled or read."""

from typing import Final

from relay.daemon.postgres.queries import fragments

# Published and acknowledged. Who has locked a row for his own transaction left an xmax, and so did
# a lease that died; to wait for the one would hold up all others.
DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%(ids)s::bigint[]) AND xmax = 0"

# The same rows, looked at one by one: all but those that are locked now. Not by a join: on stale
# statistics one reads all that waits for each of them.
_THESE: Final = """o.id = ANY(%(ids)s::bigint[])
           AND o.event_id = ANY(%(event_ids)s::uuid[])"""
_FREE: Final = """SELECT o.id
          FROM outbox AS o
         WHERE {these}
           FOR UPDATE OF o SKIP LOCKED""".replace("{these}", _THESE)
# Answers with those that were not deleted all the same: a trigger or rule of others kept them.
DELETE_FREE: Final = """
WITH free AS MATERIALIZED (
        {free}
), deleted AS (
    DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM free)) RETURNING id
)
SELECT id FROM free EXCEPT SELECT id FROM deleted
""".replace("{free}", _FREE)
CHECK_AT_ONCE: Final = "SET CONSTRAINTS ALL IMMEDIATE"

# What is left of them, and who has it locked. OFFSET keeps the condition on parked rows from the
# index of all pending ones.
LOCKED: Final = """
SELECT o.id, a.pid, a.application_name
  FROM (
           SELECT o.id, o.xmax, o.parked_at
             FROM outbox AS o
            WHERE {these}
           OFFSET 0
       ) AS o
  LEFT JOIN pg_locks AS l
    ON l.locktype = 'transactionid'
   AND l.transactionid = o.xmax
   AND l.mode = 'ExclusiveLock'
   AND l.granted
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE o.parked_at IS NULL
""".replace("{these}", _THESE)

# What is left, for whichever relay has these shards next: of all their rows that are known to be
# published, those that are still there, a thousand of a shard at most. Looked at once, since a plan
# may ask a subquery for each shard.
NOTE_UNSETTLED: Final = """
WITH left_over AS MATERIALIZED (
    SELECT o.shard, jsonb_object_agg(o.id, o.event_id) AS rows
      FROM (SELECT o.shard, o.id, o.event_id, o.parked_at,
                   row_number() OVER (PARTITION BY o.shard ORDER BY o.id) AS number
              FROM outbox AS o
             WHERE {these}) AS o
     WHERE o.number <= 1000 AND o.parked_at IS NULL
     GROUP BY o.shard
)
UPDATE outbox_shard AS s
   SET unsettled = (SELECT l.rows FROM left_over AS l WHERE l.shard = s.shard)
 WHERE s.shard = ANY(%(shards)s::smallint[])
   AND s.unsettled IS DISTINCT FROM (SELECT l.rows FROM left_over AS l WHERE l.shard = s.shard)
""".replace("{these}", _THESE)

# Out of the way, with the reason, until somebody requeues or discards it. Not what is locked now.
PARK: Final = """
UPDATE outbox AS o
   SET attempts = least(o.attempts, 32766) + 1,
       parked_at = clock_timestamp(),
       last_error = %(errors)s::jsonb ->> o.id::text
 WHERE o.id = ANY(ARRAY(
        {free}
    ))
""".replace("{free}", _FREE)

# To look for rows that cannot be read: the oldest of a shard, without their values ...
IDS: Final = """
SELECT o.id, o.event_id::text
  FROM outbox AS o
 WHERE o.parked_at IS NULL
   AND (o.shard, o.id) > (%(shard)s::smallint, %(after)s::bigint)
   AND (o.shard, o.id) <= (%(shard)s::smallint, 9223372036854775807)
 ORDER BY o.shard, o.id
 LIMIT %(rows)s
"""

# ... and then some of them with all that a lease reads.
PROBE: Final = """
SELECT o.topic, o.key, o.name, o.payload::text, o.metadata::text, {headers}, {created_ms},
       o.attempts
  FROM outbox AS o
 WHERE o.id = ANY(%(ids)s::bigint[])
""".replace("{headers}", fragments.HEADERS).replace("{created_ms}", fragments.CREATED_MS)
