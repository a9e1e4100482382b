"""Samples: the last hour of the outbox, as its relays recorded it minute by minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.operations.queries import samples as queries

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Sample:
    """Outbox at one minute. *rate*: rows published a second since the minute before."""

    at: datetime
    pending: int
    parked: int
    lag_seconds: float
    relays: int
    rate: float | None


def read(connection: Connection, within: timedelta = HOUR) -> Sequence[Sample]:
    """Return the samples of the time *within*, from old to new.

    Raises:
        SchemaError: the user may not look at them.
    """
    with (
        needing("outbox_reader"),
        bounded(connection),
        connection.cursor(row_factory=class_row(Sample)) as cursor,
    ):
        return cursor.execute(queries.READ, {"within": within}).fetchall()
