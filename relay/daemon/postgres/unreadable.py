"""Unreadable rows: those with a value that PostgreSQL cannot convert, or that is no text.

One of them makes the statement fail that reads it with a thousand others, and its lease with it.
The next lease finds it, in steps that become smaller, and parks it alone.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.bisection import faulty
from relay.daemon.postgres.unsettled import park
from relay.database.connection import BoundedConnection

# SQLSTATE class 22 and "too large to convert"; and text that is not UTF-8, from SQL_ASCII.
VALUE_FAULTS: Final = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    UnicodeDecodeError,
)
_ADVICE: Final = "correct or discard the row, then requeue it"


def park_unreadable(
    connection: BoundedConnection, shard: int, after: int, rows: int
) -> Sequence[int]:
    """Park what cannot be read among the first *rows* pending rows of *shard* behind *after*."""
    found = connection.execute(
        queries.IDS, {"shard": shard, "after": after, "rows": rows}
    ).fetchall()
    events = dict(found)
    faults = {
        id_: (events[id_], f"a value of it cannot be read ({fault}); {_ADVICE}")
        for id_, fault in faulty(list(events), partial(_fault, connection))
    }
    if faults:
        park(connection, faults)
    return list(faults)


def _fault(connection: BoundedConnection, ids: Sequence[int]) -> str | None:
    """Return the name of the fault that reading these rows meets, which quotes nothing."""
    try:
        with connection.transaction():
            connection.execute(queries.PROBE, {"ids": list(ids)}).fetchall()
    except VALUE_FAULTS as error:
        state = f"SQLSTATE {error.sqlstate}, " if isinstance(error, psycopg.Error) else ""
        return f"{state}{type(error).__name__}"
    return None
