"""Statement about the sizes of tables; it reads catalogues alone."""

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
