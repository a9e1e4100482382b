"""Statements that look at the outbox and lock nothing."""

from typing import Final

from relay.daemon.postgres.queries import fragments
from relay.database.queries import FROM_FORMER_OUTBOXES

# First of two statements, in this order: how far ids were drawn. A session may keep ids of a
# sequence with a cache for as long as it lives, and then none is proven to be used up; nor is one
# of a table that draws its ids elsewhere ...
DRAWN: Final = """
SELECT CASE
           WHEN (SELECT seqcache FROM pg_sequence WHERE seqrelid = 'outbox_id_seq'::regclass) = 1
            AND EXISTS (SELECT
                          FROM pg_depend
                         WHERE classid = 'pg_class'::regclass
                           AND objid = 'outbox_id_seq'::regclass
                           AND refclassid = 'pg_class'::regclass
                           AND refobjid = 'outbox'::regclass)
           THEN {drawn}
           ELSE -9223372036854775808
       END AS drawn,
       {epoch} AS epoch,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
  FROM outbox_state, outbox_id_seq
""".replace("{epoch}", fragments.EPOCH).replace("{drawn}", fragments.DRAWN)

# ... and who may still commit one of them: an insert locks the table before it draws an id. Beside
# them the other relays that hold a lease, by their locks on shards.
LOCKS: Final = """
SELECT DISTINCT virtualtransaction, mode = 'RowShareLock' AS is_lease
  FROM pg_locks
 WHERE locktype = 'relation'
   AND (relation, mode) IN (('outbox'::regclass, 'RowExclusiveLock'),
                            ('outbox_shard'::regclass, 'RowShareLock'))
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND granted
   AND pid IS DISTINCT FROM pg_backend_pid()
"""

# The transaction ids of writers. One that has none yet is missing: what it will write could not be
# told from what others wrote.
TRANSACTIONS: Final = """
SELECT l.virtualtransaction, t.xid::text
  FROM pg_locks AS l
  JOIN pg_snapshot_xip(pg_current_snapshot()) AS t (xid) ON t.xid::xid = l.transactionid
 WHERE l.locktype = 'transactionid'
   AND l.mode = 'ExclusiveLock'
   AND l.granted
   AND l.virtualtransaction = ANY(%(writers)s::text[])
"""

# The oldest pending row of each shard above its watermark.
FIRSTS: Final = """
SELECT f.shard, o.id, o.created_ms
  FROM unnest(%(watermarks)s::bigint[], %(resume)s::bigint[]) WITH ORDINALITY
       AS f (watermark, resume, shard)
 CROSS JOIN LATERAL (
           SELECT o.id, {created_ms} AS created_ms
             FROM outbox AS o
            WHERE o.parked_at IS NULL
              AND (o.shard, o.id) > ((f.shard - 1)::smallint, {f.watermark | f.resume})
              AND (o.shard, o.id) <= ((f.shard - 1)::smallint, 9223372036854775807)
              {exclusions}
              {blocked}
            ORDER BY o.shard, o.id
            LIMIT 1
       ) AS o
""".replace("{created_ms}", fragments.CREATED_MS)

# Rows up to the watermarks of a worker, where it does not look: there should be none.
BELOW: Final = """
SELECT o.id
  FROM unnest(%(watermarks)s::bigint[], %(resume)s::bigint[]) WITH ORDINALITY
       AS f (watermark, resume, shard)
 CROSS JOIN LATERAL (
           SELECT o.id
             FROM outbox AS o
            WHERE o.parked_at IS NULL
              AND (o.shard, o.id) > ((f.shard - 1)::smallint, -9223372036854775808)
              AND (o.shard, o.id) <= ((f.shard - 1)::smallint, {f.watermark | f.resume})
              {exclusions}
            ORDER BY o.shard, o.id
            LIMIT %(limit)s
       ) AS o
 WHERE (SELECT {epoch} FROM outbox_state) = %(epoch)s
""".replace("{epoch}", fragments.EPOCH)

# Pending rows of each shard, and those held. The counts stop at a limit, and start at the
# watermarks, so that neither a large backlog nor dead rows make a sample slow; LATERAL, because a
# join read the whole index.
BACKLOG: Final = """
SELECT f.shard - 1 AS shard,
       s.paused_at IS NOT NULL AS paused,
       o.rows,
       o.held
  FROM unnest(%(watermarks)s::bigint[], %(resume)s::bigint[]) WITH ORDINALITY
       AS f (watermark, resume, shard)
  LEFT JOIN outbox_shard AS s ON s.shard = f.shard - 1
 CROSS JOIN LATERAL (
           SELECT count(*) AS rows,
                  count(*) FILTER (WHERE NOT (true {exclusions} {blocked})) AS held
             FROM (SELECT o.*
                     FROM outbox AS o
                    WHERE o.parked_at IS NULL
                      {published}
                      AND (o.shard, o.id) > ((f.shard - 1)::smallint, {f.watermark | f.resume})
                      AND (o.shard, o.id) <= ((f.shard - 1)::smallint, 9223372036854775807)
                    LIMIT %(limit)s) AS o
       ) AS o
"""

# Those that this user may not read are left to doctor.
FORMER: Final = f"""
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
{FROM_FORMER_OUTBOXES}
   AND has_schema_privilege(n.oid, 'USAGE')
   AND has_table_privilege(c.oid, 'SELECT')
"""

LEFT_BEHIND: Final = """
SELECT count(*) AS rows,
       min({created_ms}) AS created_ms
  FROM (SELECT created_at FROM {table} WHERE parked_at IS NULL LIMIT %(limit)s) AS o
""".replace("{created_ms}", fragments.CREATED_MS)

# Published rows that somebody's lock keeps: they wait for nobody but him.
UNSETTLED: Final = """
SELECT id::bigint, event_id
  FROM outbox_shard, jsonb_each_text(unsettled) AS row (id, event_id)
 WHERE unsettled IS NOT NULL
"""

# For the metrics: parked rows up to a limit, rows as PostgreSQL estimates them, size, dead rows,
# and what pins those: whoever has written anywhere or reads here, prepared transactions and slots.
# Activity of other users is hidden from a role without pg_read_all_stats, and then does not count.
# By functions: to plan the views over them takes four times as long as all the rest.
MEASURE: Final = """
SELECT (SELECT count(*)
          FROM (SELECT FROM outbox WHERE parked_at IS NOT NULL LIMIT %(limit)s) AS counted)
           AS parked,
       pg_stat_get_live_tuples('outbox'::regclass) AS live_tuples,
       pg_total_relation_size('outbox') AS bytes,
       pg_stat_get_dead_tuples('outbox'::regclass) AS dead_tuples,
       coalesce(extract(epoch FROM clock_timestamp() - min(pin.since)), 0)::float8
           AS xmin_age_seconds,
       coalesce(max(age(pin.xid)), 0) AS xmin_age_transactions
  FROM (SELECT a.xact_start, held.xid
          FROM pg_stat_get_activity(NULL) AS a
         CROSS JOIN LATERAL (VALUES
                   (a.backend_xid),
                   (CASE
                        WHEN a.backend_type = 'walsender' THEN a.backend_xmin
                        WHEN a.backend_type <> 'autovacuum worker'
                             AND a.datid = (SELECT oid
                                              FROM pg_database
                                             WHERE datname = current_database())
                        THEN a.backend_xmin
                    END)
               ) AS held (xid)
         WHERE held.xid IS NOT NULL
           AND a.pid <> pg_backend_pid()
         UNION ALL
        SELECT prepared, transaction
          FROM pg_prepared_xacts
         UNION ALL
        SELECT NULL, xmin
          FROM pg_replication_slots
         WHERE xmin IS NOT NULL) AS pin (since, xid)
"""
