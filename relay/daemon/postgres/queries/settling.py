"""Statements that settle rows: delete, park, and find what cannot be settled or read."""

from typing import Final

from relay.daemon.postgres.queries import fragments

# Published and acknowledged. Who has locked a row for his own transaction left an xmax, and so did
# a lease that died; to wait for the one would hold up all others.
DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%(ids)s::bigint[]) AND xmax = 0"

# The same rows, looked at one by one: all but those that are locked now.
_FREE: Final = """SELECT o.id
          FROM outbox AS o
          JOIN unnest(%(ids)s::bigint[], %(event_ids)s::uuid[]) AS r (id, event_id)
            ON o.id = r.id
           AND o.event_id = r.event_id
           FOR UPDATE OF o SKIP LOCKED"""
DELETE_FREE: Final = """
DELETE FROM outbox
 WHERE id = ANY(ARRAY(
        {free}
    ))
""".replace("{free}", _FREE)

# What is left of them, and who has it locked.
LOCKED: Final = """
SELECT o.id, a.pid, a.application_name
  FROM unnest(%(ids)s::bigint[], %(event_ids)s::uuid[]) AS r (id, event_id)
  JOIN outbox AS o ON o.id = r.id AND o.event_id = r.event_id
  LEFT JOIN pg_locks AS l
    ON l.locktype = 'transactionid'
   AND l.transactionid = o.xmax
   AND l.mode = 'ExclusiveLock'
   AND l.granted
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE o.parked_at IS NULL
"""

# Out of the way, with the reason, until somebody requeues or discards it. Not what is locked now.
PARK: Final = """
WITH free AS MATERIALIZED (
        {free}
)
UPDATE outbox AS o
   SET attempts = least(o.attempts, 32766) + 1,
       parked_at = clock_timestamp(),
       last_error = r.error
  FROM free, unnest(%(ids)s::bigint[], %(errors)s::text[]) AS r (id, error)
 WHERE o.id = free.id
   AND o.id = r.id
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
