"""Rights of the database user: what it may see and change, before anybody tries."""

from dataclasses import dataclass
from typing import Final

from relay.database.session import Connection, bounded

_RIGHTS: Final = """
SELECT coalesce(has_function_privilege(to_regprocedure('outbox_requeue(bigint[],text,text)'),
                                       'EXECUTE'), false),
       has_column_privilege('outbox', 'payload', 'SELECT'),
       has_table_privilege('outbox_event', 'SELECT')
"""


@dataclass(frozen=True)
class Rights:
    """Rights of one database user: to act, to read payloads, to read stored events."""

    act: bool
    payloads: bool
    events: bool


def of(connection: Connection) -> Rights:
    """Return the rights of the connection's user."""
    with bounded(connection):
        row = connection.execute(_RIGHTS).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has a row
    return Rights(*row)
