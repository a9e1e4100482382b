"""Statements of `relay status`, each with its reason.

All go through the view, which has no payload and which the reader's role may see.
"""

from typing import Final

# With the statistics of an empty table, a probe for the oldest row would read and sort them all.
ALONG_THE_INDEX: Final = """
SELECT set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true),
       set_config('enable_sort', 'off', true)
"""

# Counted up to a limit, because counting more takes seconds. Not along the index, which would
# visit the table's pages over and over.
BACKLOG: Final = """
SELECT shard, count(*) AS pending
  FROM (SELECT shard FROM outbox_overview WHERE parked_at IS NULL LIMIT %(limit)s) AS r
 GROUP BY shard
"""

# The oldest row is the one with the lowest id; it is right where the count is only "at least".
OLDEST: Final = """
SELECT s.shard,
       extract(epoch FROM o.age)::float8 AS oldest_age_seconds
  FROM outbox_shard AS s
 CROSS JOIN LATERAL (
           SELECT age
             FROM outbox_overview AS o
            WHERE o.shard = s.shard
              AND o.parked_at IS NULL
            ORDER BY o.id
            LIMIT 1
       ) AS o
"""

SHARDS: Final = "SELECT shard, paused_at, isolated_until FROM outbox_shard ORDER BY shard"

# A relay locks the row of a shard, which leaves its transaction id in the row's xmax; as long as
# that transaction runs, it holds a lock on its own id. Application names are visible to everybody,
# addresses and times of other users' connections only to members of pg_read_all_stats.
HOLDERS: Final = """
SELECT s.shard,
       l.pid,
       coalesce(a.application_name, '') AS application_name,
       CASE
           WHEN a.state IS NULL THEN NULL
           ELSE coalesce(host(a.client_addr), 'local')
       END AS client_address,
       a.xact_start AS since
  FROM outbox_shard AS s
  JOIN pg_locks AS l
    ON l.locktype = 'transactionid'
   AND l.mode = 'ExclusiveLock'
   AND l.granted
   AND l.transactionid = s.xmax
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
 ORDER BY s.shard
"""

# Among the oldest rows only: a key that holds up the stream is among them.
KEYS: Final = """
SELECT key,
       shard,
       count(*) AS pending,
       extract(epoch FROM max(age))::float8 AS oldest_age_seconds
  FROM (SELECT id, key, shard, age
          FROM outbox_overview
         WHERE parked_at IS NULL
           AND key IS NOT NULL
         ORDER BY id
         LIMIT %(limit)s) AS r
 GROUP BY key, shard
 ORDER BY {order}, key
 LIMIT %(keys)s
"""

PARKED_COUNT: Final = """
SELECT count(*)
  FROM (SELECT FROM outbox_overview WHERE parked_at IS NOT NULL LIMIT %(limit)s) AS r
"""

PARKED_NEWEST: Final = """
SELECT id, event_id, shard, topic, key, name, attempts, parked_at, last_error
  FROM outbox_overview
 WHERE parked_at IS NOT NULL
 ORDER BY parked_at DESC, id DESC
 LIMIT %(rows)s
"""
