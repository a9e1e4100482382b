"""Statements about tables and what pins their dead rows; they read catalogues alone."""

from typing import Final

# TOAST included, where large payloads are.
TABLES: Final = """
SELECT c.relname AS name,
       pg_total_relation_size(c.oid) AS total_bytes,
       pg_indexes_size(c.oid) AS index_bytes,
       greatest(c.reltuples, 0)::bigint AS rows,
       coalesce(s.n_dead_tup, 0) AS dead_rows,
       greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum,
       coalesce(s.vacuum_count + s.autovacuum_count, 0) AS vacuums
  FROM unnest(ARRAY['outbox', 'outbox_event', 'outbox_event_limit', 'outbox_audit',
                    'outbox_shard', 'outbox_lease', 'outbox_relay', 'outbox_sample'])
       WITH ORDINALITY AS t (name, place)
  JOIN pg_class AS c ON c.oid = to_regclass(t.name)
  LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
 ORDER BY t.place
"""

# As the sampler measures it, with names.
PINS: Final = """
SELECT *
  FROM (SELECT 'session' AS kind,
               format('%s (pid %s)', coalesce(nullif(application_name, ''), backend_type), pid)
                   AS name,
               pid,
               usename::text AS user_name,
               xact_start AS since,
               extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
               greatest(age(backend_xmin), age(backend_xid)) AS transactions
          FROM pg_stat_activity
         WHERE (backend_xid IS NOT NULL
                OR backend_xmin IS NOT NULL
                   AND (datname = current_database() OR backend_type = 'walsender'))
           AND backend_type <> 'autovacuum worker'
           AND pid <> pg_backend_pid()
         UNION ALL
        SELECT 'prepared transaction', gid, NULL, owner::text, prepared,
               extract(epoch FROM clock_timestamp() - prepared)::float8, age(transaction)
          FROM pg_prepared_xacts
         UNION ALL
        SELECT 'replication slot', slot_name::text, NULL, NULL, NULL, NULL, age(xmin)
          FROM pg_replication_slots
         WHERE xmin IS NOT NULL) AS pin
 ORDER BY transactions DESC NULLS LAST, since
 LIMIT 20
"""
