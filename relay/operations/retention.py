"""Removes old events, and rate limits that have no say any more, batch by batch."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from relay.database.session import Connection
from relay.operations.queries import retention as queries

BATCH_ROWS = 5_000


def cutoff(connection: Connection, age: timedelta) -> datetime:
    """Return the time *age* ago, by the clock of the database."""
    row = connection.execute(queries.CUTOFF, {"age": age}).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    moment: datetime = row[0]
    return moment


def count(connection: Connection, before: datetime) -> int:
    """Count the events that happened before *before*."""
    row = connection.execute(queries.COUNT, {"before": before}).fetchone()
    return int(row[0]) if row else 0


def purge(connection: Connection, before: datetime, batch_rows: int = BATCH_ROWS) -> Iterator[int]:
    """Delete the events that happened before *before*; yield how many, after each commit.

    Each batch begins behind the one before: dead rows that vacuum may not remove yet are not read
    again. Locks nothing that others need, and may be ended between two batches.
    """
    after: tuple[object, int] = ("-infinity", 0)
    while True:
        parameters = {"before": before, "time": after[0], "id": after[1], "rows": batch_rows}
        last = connection.execute(queries.LAST, parameters).fetchone()
        if last is None:
            return
        until = {"time": after[0], "id": after[1], "last_time": last[0], "last_id": last[1]}
        yield connection.execute(queries.DELETE, until).rowcount
        after = (last[0], last[1])


def count_limits(connection: Connection, before: datetime) -> int:
    """Count the rate limits that could refuse only events that happened before *before*."""
    row = connection.execute(queries.COUNT_LIMITS, {"before": before}).fetchone()
    return int(row[0]) if row else 0


def purge_limits(
    connection: Connection, before: datetime, batch_rows: int = BATCH_ROWS
) -> Iterator[int]:
    """Delete the rate limits that could refuse only events that happened before *before*.

    Yields how many, after each commit. Waits for nobody: one that is asked about is left.
    """
    last = ("", UUID(int=0))
    while True:
        after = {"name": last[0], "resource": last[1], "before": before, "rows": batch_rows}
        deleted = connection.execute(queries.DELETE_LIMITS, after).fetchall()
        if not deleted:
            return
        yield len(deleted)
        last = deleted[-1]
