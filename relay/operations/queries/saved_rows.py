"""Statements that save discarded rows and restore them, each with its reason."""

from typing import Final

# Operators' functions take it too: between reading a row and deleting it nobody changes it.
ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(7164150313)"

# Payloads as texts, so that not a byte changes. Bytes, because SQL_ASCII knows no characters.
SAVE: Final = """
SELECT v.id,
       convert_to(
           json_build_object(
               'id', v.id, 'event_id', v.event_id, 'topic', v.topic, 'key', v.key, 'name', v.name,
               'payload', o.payload::text, 'metadata', o.metadata::text,
               'headers', o.headers::text, 'created_at', v.created_at, 'attempts', v.attempts,
               'parked_at', v.parked_at, 'last_error', v.last_error, 'replayed', o.replayed
           )::text,
           CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END
       ) AS line
  FROM outbox_overview AS v
  JOIN outbox AS o ON o.id = v.id
  JOIN outbox_shard AS s ON s.shard = v.shard
 WHERE v.id = ANY (%(ids)s::bigint[])
   AND (v.parked_at IS NOT NULL OR s.paused_at IS NOT NULL)
 ORDER BY v.id
"""

RESTORE: Final = """
SELECT outbox_restore(
           convert_from(
               %(rows)s::bytea,
               CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END
           )::json,
           %(reason)s, %(person)s)
"""
