"""Parked rows, grouped by what befell them: topic and kind of error."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.operations.queries import browsing as queries

# Grouped up to this many: each error is read.
COUNT_LIMIT: Final = 50_000


@dataclass(frozen=True)
class ParkedGroup:
    """Parked rows of one topic and one kind of error, in which N stands for any number."""

    topic: str | None
    reason: str
    rows: int
    first_id: int
    oldest: datetime
    newest: datetime


def groups(connection: Connection) -> Sequence[ParkedGroup]:
    """Return the groups, the largest first.

    Raises:
        SchemaError: the user may not look at them.
    """
    with (
        needing("outbox_reader"),
        bounded(connection),
        connection.cursor(row_factory=class_row(ParkedGroup)) as cursor,
    ):
        return cursor.execute(queries.PARKED_GROUPS, {"limit": COUNT_LIMIT}).fetchall()
