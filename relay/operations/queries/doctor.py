"""Statements of `relay doctor`, each with its reason."""

from typing import Final

# Each right that a relay uses and this user lacks. The grants are in schema.sql.
MISSING_RIGHTS: Final = """
SELECT what
  FROM (VALUES
           ('SELECT, DELETE on outbox',
            has_table_privilege('outbox', 'SELECT') AND has_table_privilege('outbox', 'DELETE')),
           ('UPDATE (attempts, parked_at, last_error) on outbox',
            has_column_privilege('outbox', 'attempts', 'UPDATE')
            AND has_column_privilege('outbox', 'parked_at', 'UPDATE')
            AND has_column_privilege('outbox', 'last_error', 'UPDATE')),
           ('SELECT, UPDATE on outbox_shard',
            has_table_privilege('outbox_shard', 'SELECT')
            AND has_table_privilege('outbox_shard', 'UPDATE')),
           ('SELECT, UPDATE on outbox_lease',
            has_table_privilege('outbox_lease', 'SELECT')
            AND has_table_privilege('outbox_lease', 'UPDATE')),
           ('UPDATE (streaming) on outbox_state',
            has_column_privilege('outbox_state', 'streaming', 'UPDATE')),
           ('SELECT, INSERT, UPDATE, DELETE on outbox_relay',
            has_table_privilege('outbox_relay', 'SELECT')
            AND has_table_privilege('outbox_relay', 'INSERT')
            AND has_table_privilege('outbox_relay', 'UPDATE')
            AND has_table_privilege('outbox_relay', 'DELETE')),
           ('SELECT on outbox_overview', has_table_privilege('outbox_overview', 'SELECT')),
           ('SELECT on outbox_id_seq', has_sequence_privilege('outbox_id_seq', 'SELECT'))
       ) AS needed (what, granted)
 WHERE NOT granted
"""

# Users that may relay, and from whom row-level security hides rows of our tables, with these.
BOUND_BY_POLICIES: Final = """
SELECT quote_ident(r.rolname),
       string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname)
  FROM pg_roles AS r
  JOIN pg_class AS c
    ON c.oid IN ('outbox'::regclass, 'outbox_shard'::regclass, 'outbox_lease'::regclass,
                 'outbox_state'::regclass, 'outbox_relay'::regclass)
   AND c.relrowsecurity
   AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
 WHERE r.rolcanlogin
   AND NOT r.rolsuper
   AND NOT r.rolbypassrls
   AND (pg_has_role(r.oid, 'outbox_relay', 'MEMBER') OR pg_has_role(r.oid, c.relowner, 'USAGE'))
 GROUP BY r.rolname
 ORDER BY r.rolname
"""

SEES_OTHERS: Final = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"

# What a restore, a swap of tables, or a tool that wanted to be faster leaves behind: its kind,
# whether a crash empties it, what is switched off or missing of its triggers, what of others may
# keep a deletion from being done, whether the view shows another table, and shards without a row.
TABLE: Final = """
SELECT c.relkind = 'r' AS is_table,
       c.relpersistence = 'p' AS is_logged,
       ARRAY(SELECT tgname::text
               FROM pg_trigger
              WHERE tgrelid = c.oid
                AND tgname IN ('outbox_refused', 'outbox_requeued', 'outbox_inserted')
                AND tgenabled NOT IN ('O', 'A')
              ORDER BY 1) AS disabled,
       ARRAY(SELECT name
               FROM unnest(ARRAY['outbox_inserted', 'outbox_refused', 'outbox_requeued']) AS name
              WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = name))
           AS missing,
       ARRAY(SELECT format('DROP RULE %I ON outbox', rulename)
               FROM pg_rewrite
              WHERE ev_class = c.oid AND rulename <> '_RETURN'
              UNION ALL
             SELECT format('DROP TRIGGER %I ON outbox', tgname)
               FROM pg_trigger
              WHERE tgrelid = c.oid AND NOT tgisinternal AND tgtype & 8 <> 0
              UNION ALL
             SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
               FROM pg_constraint
              WHERE confrelid = c.oid AND contype = 'f' AND conparentid = 0
              UNION ALL
             SELECT 'ALTER TABLE outbox REPLICA IDENTITY DEFAULT'
              WHERE c.relreplident = 'n'
              ORDER BY 1) AS in_the_way,
       ARRAY(SELECT n
               FROM generate_series(0, 63) AS n
              WHERE NOT EXISTS (SELECT
                                  FROM outbox_shard AS s JOIN outbox_lease AS l USING (shard)
                                 WHERE s.shard = n)) AS without_row,
       EXISTS (SELECT
                 FROM pg_depend AS d
                 JOIN pg_rewrite AS r ON r.oid = d.objid
                WHERE d.classid = 'pg_rewrite'::regclass
                  AND d.refclassid = 'pg_class'::regclass
                  AND d.refobjid = c.oid
                  AND r.ev_class = to_regclass('outbox_overview')) AS is_shown
  FROM pg_class AS c
 WHERE c.oid = 'outbox'::regclass
"""

VACUUM: Final = """
SELECT current_setting('autovacuum')::boolean AS is_on,
       coalesce(c.reloptions, '{}') AS options,
       coalesce(s.n_dead_tup, 0) AS dead_rows
  FROM pg_class AS c
  LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
 WHERE c.oid = 'outbox'::regclass
"""

# A megabyte on the disk of this database, gone with its transaction: nobody tells how much is free.
DISK: Final = """
CREATE TEMPORARY TABLE outbox_disk_probe ON COMMIT DROP AS
SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)
"""

# The tablespace of the outbox, where it is not that of its database.
TABLESPACE: Final = """
SELECT quote_ident(t.spcname)
  FROM pg_class AS c
  JOIN pg_tablespace AS t ON t.oid = c.reltablespace
 WHERE c.oid = 'outbox'::regclass
"""

TEMP_TABLESPACE: Final = "SELECT set_config('temp_tablespaces', %(tablespace)s, true)"

CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"

# The snapshot that sees the rows is older than the read of the sequence, which no snapshot holds
# still: so the first is below the second only where the sequence was set back.
DRAWN: Final = """
SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS drawn,
       coalesce((SELECT max(id) FROM outbox), 0) AS highest,
       (SELECT quote_ident(n.nspname) || '.outbox_id_seq'
          FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.oid = s.tableoid) AS name,
       (SELECT seqincrement > 0 AND NOT seqcycle
          FROM pg_sequence
         WHERE seqrelid = s.tableoid) AS rises
  FROM outbox_id_seq AS s
"""

# The remedy to type: safe even an hour late and under load. No setval() is: whatever number it is
# given, others draw ids before it takes effect, and it takes those back. Drawing ids moves forward
# alone, and draws none where the sequence is beyond already.
ADVANCE: Final = (
    "SELECT max(nextval('{sequence}')) FROM "
    "(SELECT generate_series(last_value, {to}) FROM {sequence}) AS behind"
)

SEQUENCE_IS_MISSING: Final = "SELECT to_regclass('outbox_id_seq') IS NULL"
HIGHEST: Final = "SELECT coalesce(max(id), 0) FROM outbox"
IDENTITY: Final = (
    "ALTER TABLE outbox ALTER id ADD GENERATED ALWAYS AS IDENTITY "
    "(SEQUENCE NAME outbox_id_seq START {start})"
)
ONLY_RISE: Final = "ALTER SEQUENCE {sequence} INCREMENT BY 1 NO CYCLE"

# Among the oldest rows: what cannot be published is among them.
WAITING: Final = """
SELECT coalesce(topic, %(topic)s) AS topic,
       max(size) AS largest
  FROM (SELECT topic, size
          FROM outbox_overview
         WHERE parked_at IS NULL
         LIMIT %(limit)s) AS r
 GROUP BY 1
 ORDER BY 1
"""
