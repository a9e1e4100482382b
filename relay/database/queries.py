"""Statements about sessions and migrations, each with its reason."""

from typing import Final

# A question in a short transaction of its own: a slow one is given up alone, and vacuum is not held
# back. What policies hide is an error: a count without it would be wrong, and say nothing of it.
STATEMENT_TIMEOUT: Final = """
SELECT set_config('statement_timeout', %(milliseconds)s, true),
       set_config('lock_timeout', %(milliseconds)s, true),
       set_config('jit', 'off', true),
       set_config('row_security', 'off', true)
"""

# One migration at a time, and gone with its transaction, so that a pooler does no harm.
# The number says nothing; it only must be the same for every migration.
MIGRATION_LOCK: Final = "SELECT pg_advisory_xact_lock(7164150312)"

LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %(milliseconds)s, true)"

# A migration that builds an index lets the transaction with its lock idle.
NO_IDLE_TIMEOUT: Final = "SELECT set_config('idle_in_transaction_session_timeout', '0', true)"

# What a migration within somebody else's transaction changes, and puts back.
TRANSACTION_SETTINGS: Final = """
SELECT current_setting('search_path'), current_setting('lock_timeout')
"""
RESTORE_SETTINGS: Final = """
SELECT set_config('search_path', %s, true), set_config('lock_timeout', %s, true)
"""

# Who keeps a migration waiting: whoever writes to the tables that it changes.
BLOCKERS: Final = """
SELECT DISTINCT l.pid,
       coalesce(a.application_name, '') AS application_name
  FROM pg_locks AS l
  LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.relation IN (
           to_regclass('outbox'),
           to_regclass('outbox_shard'),
           to_regclass('outbox_lease'),
           to_regclass('outbox_state'),
           to_regclass('outbox_event')
       )
   AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
   AND l.granted
   AND l.pid IS DISTINCT FROM pg_backend_pid()
 ORDER BY l.pid
 LIMIT 10
"""

# What has one of our names: its kind, its columns with their types, and the table it is a part of.
RELATIONS: Final = """
SELECT c.relname,
       c.relkind::text,
       coalesce((SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod))
                   FROM pg_attribute AS a
                  WHERE a.attrelid = c.oid
                    AND a.attnum > 0
                    AND NOT a.attisdropped), '{}') AS columns,
       coalesce((SELECT t.relname
                   FROM pg_index AS i
                   JOIN pg_class AS t ON t.oid = i.indrelid
                  WHERE i.indexrelid = c.oid),
                (SELECT t.relname
                   FROM pg_depend AS d
                   JOIN pg_class AS t ON t.oid = d.refobjid
                  WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = c.oid
                    AND d.refclassid = 'pg_class'::regclass
                    AND d.deptype IN ('a', 'i')
                    AND c.relkind = 'S')) AS part_of
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s
   AND c.relname = ANY (%(names)s)
 ORDER BY c.relkind = 'r' DESC, c.relname
"""

FUNCTIONS: Final = """
SELECT p.proname,
       '(' || oidvectortypes(p.proargtypes) || ') '
           || CASE WHEN p.prokind = 'p' THEN 'nothing' ELSE pg_get_function_result(p.oid) END
  FROM pg_proc AS p
  JOIN pg_namespace AS n ON n.oid = p.pronamespace
 WHERE n.nspname = %(schema)s
   AND p.proname = ANY (%(names)s)
 ORDER BY p.proname
"""

# Every table has a type of its name. One without a table would keep ours from being made.
TYPES: Final = """
SELECT t.typname
  FROM pg_type AS t
  JOIN pg_namespace AS n ON n.oid = t.typnamespace
 WHERE n.nspname = %(schema)s
   AND t.typname = ANY (%(names)s)
   AND t.typrelid = 0
 ORDER BY t.typname
"""

# Where outbox tables are: those that the search_path finds, and others by their shape.
SCHEMAS: Final = """
SELECT n.nspname,
       pg_table_is_visible(c.oid) AS is_visible
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relname = 'outbox_state'
   AND n.nspname !~ '^pg_'
   AND (pg_table_is_visible(c.oid)
        OR 4 = (SELECT count(*)
                  FROM pg_attribute AS a
                 WHERE a.attrelid = c.oid
                   AND a.attname IN ('singleton', 'version', 'oldest_relay', 'streaming')))
 ORDER BY n.nspname
"""

# For one transaction, so that it works through a pooler.
SEARCH_PATH: Final = "SELECT set_config('search_path', %(search_path)s, true)"

APPLIED: Final = "SELECT number FROM outbox_migration"

RECORD: Final = "INSERT INTO outbox_migration (number, name) VALUES (%(number)s, %(name)s)"

# Where the extension is that an index on texts needs.
TRIGRAMS: Final = (
    "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_trgm'"
)

# A build that was broken off leaves an index that is not valid.
INDEXES: Final = """
SELECT c.relname, i.indisvalid
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_index AS i ON i.indexrelid = c.oid
 WHERE n.nspname = %(schema)s
   AND c.relname = ANY (%(names)s)
"""

STATE: Final = "SELECT version, oldest_relay, streaming FROM outbox_state"

KEPT_STATES: Final = "SELECT states @> %(states)s::text[] FROM outbox_state"

# For those who requeue: their settings need not know the preset. Names are only added, or a relay
# that somebody starts without it would take the rule away.
KEEP_STATES: Final = """
UPDATE outbox_state
   SET states = ARRAY(SELECT DISTINCT unnest(states || %(states)s::text[]) ORDER BY 1)
 WHERE NOT states @> %(states)s::text[]
"""

# Tables that were the outbox before another one took the name: they have its triggers. Its own
# partitions are a part of it. Along the dependencies of a function, which have an index.
FROM_FORMER_OUTBOXES: Final = """
  FROM pg_depend AS d
  JOIN pg_trigger AS t ON t.oid = d.objid
  JOIN pg_class AS c ON c.oid = t.tgrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE d.classid = 'pg_trigger'::regclass
   AND d.refclassid = 'pg_proc'::regclass
   AND d.refobjid = to_regproc('outbox_count_requeue')
   AND c.oid IS DISTINCT FROM to_regclass('outbox')
   AND pg_partition_root(c.oid) IS DISTINCT FROM to_regclass('outbox')
""".strip("\n")
