"""Statements about sessions and migrations, each with its reason."""

from typing import Final

# A question in a short transaction of its own: a slow one is given up alone, and vacuum is not held
# back.
STATEMENT_TIMEOUT: Final = """
SELECT set_config('statement_timeout', %(milliseconds)s, true),
       set_config('jit', 'off', true)
"""

# One migration at a time, and gone with its transaction, so that a pooler does no harm.
# The number says nothing; it only must be the same for every migration.
MIGRATION_LOCK: Final = "SELECT pg_advisory_xact_lock(7164150312)"

LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', %(milliseconds)s, true)"

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
           to_regclass('outbox_state'),
           to_regclass('outbox_event')
       )
   AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
   AND l.granted
   AND l.pid IS DISTINCT FROM pg_backend_pid()
 ORDER BY l.pid
 LIMIT 10
"""
