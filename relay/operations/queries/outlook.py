"""Statements of the outlook, each with its reason. None reads a payload or waits for a lock."""

from typing import Final

from relay.database import queries as database

STATE: Final = "SELECT streaming, streaming_by, streaming_at FROM outbox_state"

RELAYS: Final = """
SELECT name,
       host,
       pid,
       version,
       started_at,
       seen_at,
       extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent_seconds,
       ended_at IS NULL AND alive_until > clock_timestamp() AS alive,
       ended_at,
       drain_timed_out,
       streaming,
       topic,
       wake_up,
       published,
       parked,
       rate,
       missed,
       leased_shards,
       holds,
       broker_errors,
       fault,
       topics
  FROM outbox_relay
 ORDER BY started_at
"""

# Counted up to a limit, because counting more takes seconds. Not along the index, which would
# visit the table's pages over and over.
BACKLOG: Final = """
SELECT shard, topic, count(*) AS rows
  FROM (SELECT shard, topic FROM outbox_overview WHERE parked_at IS NULL LIMIT %(limit)s) AS r
 GROUP BY shard, topic
"""

# The oldest row of each shard that no hold keeps back, and that was not published yet, is the one
# with the lowest id.
OLDEST: Final = """
SELECT s.shard,
       extract(epoch FROM o.age)::float8 AS oldest_age_seconds
  FROM outbox_shard AS s
 CROSS JOIN LATERAL (
           SELECT age
             FROM outbox_overview AS o
            WHERE o.shard = s.shard
              AND o.parked_at IS NULL
              AND coalesce(o.topic, %(topic)s) <> ALL (%(held)s::text[])
              AND (s.unsettled ->> o.id::text) IS DISTINCT FROM o.event_id::text
            ORDER BY o.id
            LIMIT 1
       ) AS o
"""

# Keys of a partition are told by their hash, one by one.
OF_PARTITION: Final = """
SELECT count(*) FILTER (
           WHERE outbox_partition(%(partitioner)s, coalesce(r.key, r.event_id::text),
                                  %(partitions)s) = %(partition)s
       ) AS rows,
       count(*) AS looked_at
  FROM (SELECT event_id, key
          FROM outbox_overview
         WHERE parked_at IS NULL
           AND coalesce(topic, %(default)s) = %(topic)s
         LIMIT %(limit)s) AS r
"""

# Numbers differ from row to row, the reason does not.
PARKED: Final = """
SELECT regexp_replace(coalesce(last_error, ''), '[0-9][0-9,.]*', 'N', 'g') AS reason,
       count(*) AS rows,
       min(id) AS first_id,
       topic
  FROM (SELECT id, topic, last_error
          FROM outbox_overview
         WHERE parked_at IS NOT NULL
         LIMIT %(limit)s) AS r
 GROUP BY 1, topic
 ORDER BY 2 DESC, 1, topic
"""

# The line of the audit is younger than the pause that it is about; one that is older is about
# another, and this pause came by plain SQL.
PAUSED: Final = """
SELECT s.shard, s.paused_at, n.who, n.reason
  FROM outbox_shard AS s
  LEFT JOIN LATERAL (
           SELECT at, coalesce(person, db_user) AS who, reason
             FROM outbox_audit AS a
            WHERE a.shard = s.shard
              AND a.outbox_id IS NULL
              AND a.action = 'pause'
            ORDER BY a.id DESC
            LIMIT 1
       ) AS n ON n.at >= s.paused_at
 WHERE s.paused_at IS NOT NULL
 ORDER BY s.shard
"""

# Times and states of other users' sessions are visible to members of pg_read_all_stats alone.
_SESSION: Final = """a.pid,
       coalesce(a.application_name, '') AS application,
       coalesce(a.usename::text, '') AS user_name,
       a.xact_start AS since,
       a.query_start AS query_start,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds"""

# A lock on a row leaves its transaction in the row's xmax, and that holds a lock on its own id.
SHARD_LOCKS: Final = """
SELECT {session},
       array_agg(s.shard ORDER BY s.shard) AS shards
  FROM outbox_shard AS s
  JOIN pg_locks AS l
    ON l.locktype = 'transactionid'
   AND l.mode = 'ExclusiveLock'
   AND l.granted
   AND l.transactionid = s.xmax
  JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE a.pid <> pg_backend_pid()
 GROUP BY 1, 2, 3, 4, 5
 ORDER BY 1
""".replace("{session}", _SESSION)

# Locks of whole tables beside which no relay can work.
TABLE_LOCKS: Final = """
SELECT {session},
       array_agg(DISTINCT l.relation::regclass::text) AS tables
  FROM pg_locks AS l
  JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation IN (to_regclass('outbox'), to_regclass('outbox_shard'),
                      to_regclass('outbox_state'), to_regclass('outbox_relay'),
                      to_regclass('outbox_lease'))
   AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
   AND l.granted
   AND a.pid <> pg_backend_pid()
 GROUP BY 1, 2, 3, 4, 5
 ORDER BY 1
""".replace("{session}", _SESSION)

# Who keeps a backend of a relay waiting for a lock.
BLOCKERS: Final = """
SELECT {session},
       array_agg(DISTINCT blocked.pid) AS blocked
  FROM pg_locks AS l
  JOIN pg_stat_activity AS blocked ON blocked.pid = l.pid
 CROSS JOIN LATERAL unnest(pg_blocking_pids(blocked.pid)) AS by (pid)
  JOIN pg_stat_activity AS a ON a.pid = by.pid
 WHERE NOT l.granted
   AND blocked.datname = current_database()
   AND blocked.application_name LIKE 'outbox-relay %%'
   AND l.waitstart < clock_timestamp() - make_interval(secs => %(seconds)s)
 GROUP BY 1, 2, 3, 4, 5
 ORDER BY 1
""".replace("{session}", _SESSION)

# Whoever has written to the outbox and neither committed nor rolled back.
WRITERS: Final = """
SELECT {session}
  FROM pg_locks AS l
  JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation = to_regclass('outbox')
   AND l.mode = 'RowExclusiveLock'
   AND l.granted
   AND a.application_name NOT LIKE 'outbox-relay %%'
   AND a.pid <> pg_backend_pid()
   AND (a.xact_start IS NULL
        OR a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s))
 ORDER BY a.xact_start
 LIMIT 20
""".replace("{session}", _SESSION)

# Rows that were published, and that somebody's lock keeps in the table: looked up one by one.
UNSETTLED: Final = """
SELECT id::bigint
  FROM outbox_shard AS s, jsonb_each_text(s.unsettled) AS published (id, event_id)
 WHERE published.event_id = (SELECT o.event_id::text
                               FROM outbox_overview AS o
                              WHERE o.id = published.id::bigint)
 ORDER BY 1
 LIMIT 1000
"""

# Rows are estimated, since whoever asks may not read them.
FORMER: Final = f"""
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
       pg_stat_get_live_tuples(c.oid) AS rows
{database.FROM_FORMER_OUTBOXES}
 ORDER BY 1
"""

SEQUENCE_CACHE: Final = """
SELECT seqcache, seqrelid::regclass::text
  FROM pg_sequence
 WHERE seqrelid = to_regclass('outbox_id_seq')
"""

ENCODING: Final = "SELECT current_setting('server_encoding')"
