"""Undeletable rows: a trigger, rule or foreign key of others keeps them in the table.

They are published. To try again would send copies, and would stop at the same row for ever. Where
the deletion was refused, the lease is lost, and another relay may repeat it before this one settles
its rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.arrays import identities
from relay.daemon.postgres.bisection import faulty
from relay.daemon.postgres.pipeline_cursor import PunctuatedCursor
from relay.database.connection import BoundedConnection

# Classes of SQLSTATE that pass, or are about no row: connection, state of the transaction,
# rollback, resources, locks, the operator, the system.
_PASSING: Final = frozenset({"08", "25", "40", "53", "55", "57", "58", "XX"})
_KEPT: Final = (
    "published, but PostgreSQL keeps it in the table ({why}): `relay doctor` names what may do so; "
    "discard the row when that is mended"
)
_SILENTLY: Final = "a trigger or rule does"


def delete(
    connection: BoundedConnection, published: Mapping[int, str]
) -> Mapping[int, tuple[str, str]]:
    """Delete rows, given their event ids, but for those that somebody has locked.

    Returns those that PostgreSQL keeps, each with its event id and the reason.
    """
    kept: dict[int, str] = {}

    def refusal(ids: Sequence[int]) -> str | None:
        try:
            with connection.transaction():
                kept.update(dict.fromkeys(_delete(connection, ids, published), _SILENTLY))
        except psycopg.Error as error:
            if str(error.sqlstate or "08")[:2] in _PASSING:
                raise
            return _named(error)
        return None

    # What is put off to the commit would fail there, where nothing tells which row it was.
    connection.execute(queries.CHECK_AT_ONCE)
    if refusal(list(published)) is not None:
        # What is refused as such, in a deletion of nothing, is no matter of a row.
        deletion = PunctuatedCursor[Any](connection)
        deletion.execute(queries.LOCK)
        deletion.await_rowcount()
        kept.update(faulty(sorted(published), refusal))
    return {id_: (published[id_], _KEPT.format(why=why)) for id_, why in kept.items()}


def _delete(
    connection: BoundedConnection, ids: Sequence[int], published: Mapping[int, str]
) -> list[int]:
    found = connection.execute(
        queries.DELETE_FREE, identities({id_: published[id_] for id_ in ids})
    )
    return [id_ for (id_,) in found.fetchall()]


def _named(error: psycopg.Error) -> str:
    """Return the name of a refusal; the message of somebody's trigger may quote the row."""
    constraint = error.diag.constraint_name
    by = f", constraint {constraint}" if constraint else ""
    return f"SQLSTATE {error.sqlstate}, {type(error).__name__}{by}"
