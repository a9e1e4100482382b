"""Pins of xmin: whoever keeps vacuum from removing dead rows, the oldest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from psycopg.rows import class_row

from relay.database.session import Connection, bounded

_PINS: Final = """
SELECT CASE WHEN backend_type = 'walsender' THEN 'standby' ELSE 'session' END AS kind,
       coalesce(application_name, '') AS name,
       pid,
       coalesce(usename::text, '') AS user_name,
       xact_start AS since,
       query_start,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
       greatest(age(backend_xid), age(backend_xmin)) AS transactions
  FROM pg_stat_activity
 WHERE (backend_xid IS NOT NULL
        OR backend_xmin IS NOT NULL
           AND (datname = current_database() OR backend_type = 'walsender'))
   AND backend_type <> 'autovacuum worker'
   AND pid <> pg_backend_pid()
 UNION ALL
SELECT 'prepared', gid, NULL, owner::text, prepared, NULL,
       extract(epoch FROM clock_timestamp() - prepared)::float8, age(transaction)
  FROM pg_prepared_xacts
 UNION ALL
SELECT 'slot', slot_name, active_pid, '', NULL, NULL, NULL, age(xmin)
  FROM pg_replication_slots
 WHERE xmin IS NOT NULL
 ORDER BY transactions DESC NULLS LAST, seconds DESC NULLS LAST
 LIMIT 20
"""

Kind = Literal["session", "standby", "prepared", "slot"]


@dataclass(frozen=True)
class Pin:
    """Session, standby, prepared transaction or replication slot that pins xmin.

    *name*: the application, the transaction's gid, or the slot's name. A slot has no time.
    """

    kind: Kind
    name: str
    pid: int | None
    user_name: str
    since: datetime | None
    query_start: datetime | None
    seconds: float | None
    transactions: int | None


def pins(connection: Connection) -> list[Pin]:
    """Return what pins xmin. Other users' sessions need pg_read_all_stats to be seen."""
    with bounded(connection), connection.cursor(row_factory=class_row(Pin)) as cursor:
        return cursor.execute(_PINS.encode()).fetchall()
