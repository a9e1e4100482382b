"""Fragments that several statements share."""

from typing import Final

# The identity of table, sequence and server, and the count of requeues: watermarks of another epoch
# say nothing. TRUNCATE and ALTER SEQUENCE … RESTART give new files; a failover behind a pooler is
# another postmaster, or one that has left recovery.
EPOCH: Final = """concat_ws(' ',
           requeues,
           extract(epoch FROM pg_postmaster_start_time()),
           pg_is_in_recovery(),
           'outbox'::regclass::oid,
           pg_relation_filenode('outbox'),
           pg_relation_filenode('outbox_id_seq'))"""

# All of these writers are still open in the snapshot of the statement that asks.
UNSEEN: Final = """(SELECT NOT EXISTS (
            SELECT
              FROM unnest(%(beside)s::xid8[]) AS writer (xid)
             WHERE pg_visible_in_snapshot(writer.xid, pg_current_snapshot())))"""

ALL_OPEN: Final = f"SELECT {UNSEEN}".replace("%(beside)s", "{beside}")

# How far ids were drawn.
DRAWN: Final = "CASE WHEN is_called THEN last_value ELSE last_value - 1 END"

# A replay says so in a column, because writers may not set the header. As text: jsonb refuses some
# of what json takes.
HEADERS: Final = r"""CASE
           WHEN o.replayed
           THEN regexp_replace(
               '{"replay": "true"' || coalesce(
                   regexp_replace(o.headers::text, E'^\\s*\\{\\s*', ', '), '}'), E', \\}\\s*$', '}')
           ELSE o.headers::text
       END"""

# In milliseconds, whatever a row that is older than our CHECKs says.
CREATED_MS: Final = """(date_part('epoch', CASE
           WHEN isfinite(o.created_at) THEN o.created_at
           ELSE statement_timestamp()
       END) * 1000)::bigint"""
