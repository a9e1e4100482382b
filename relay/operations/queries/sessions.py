"""Statements that find a session, and end it."""

from typing import Final

# Hidden from whoever may not see other users' sessions: then its start is null.
SESSION: Final = """
SELECT pid,
       coalesce(application_name, '') AS application,
       coalesce(usename::text, '') AS user_name,
       xact_start AS since,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds
  FROM pg_stat_activity
 WHERE pid = %(pid)s
   AND datname = current_database()
   AND pid <> pg_backend_pid()
   AND (xact_start IS NOT NULL OR state IS NULL)
"""

NOTE: Final = "SELECT outbox_note_end(%(what)s, %(reason)s, %(person)s)"

# Nothing else that has its pid by then.
END: Final = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE pid = %(pid)s
   AND xact_start = %(since)s
   AND datname = current_database()
"""
