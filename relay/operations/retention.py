"""Retention: removal of old events, and of rate limits that have expired with them, in batches."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from relay.database.session import Connection, needing
from relay.operations.queries import retention as queries

BATCH_ROWS: Final = 5_000
# Counting old events takes its time on a large table.
PATIENCE_SECONDS: Final = 600.0


def cutoff(connection: Connection, age: timedelta) -> datetime:
    """Return the time *age* ago, by the clock of the database."""
    moment: datetime = _only(connection, queries.CUTOFF, age=age)
    return moment


def count(connection: Connection, before: datetime) -> int:
    """Count the events that happened before *before*."""
    return int(_only(connection, queries.COUNT, before=before))


def purge(connection: Connection, before: datetime, batch_rows: int = BATCH_ROWS) -> Iterator[int]:
    """Delete the events that happened before *before*; yield the size of each batch, committed.

    Each batch begins behind the one before: dead rows that vacuum may not remove yet are not read
    again. It locks nothing that others need, and may be stopped between two batches.

    Raises:
        SchemaError: the user may not purge. The same holds for rate limits.
    """
    after: tuple[object, int] = ("-infinity", 0)
    while True:
        parameters = {"before": before, "time": after[0], "id": after[1], "rows": batch_rows}
        with needing("outbox_purger"), connection.transaction():
            last = connection.execute(queries.LAST, parameters).fetchone()
            if last is None:
                return
            until = {"time": after[0], "id": after[1], "last_time": last[0], "last_id": last[1]}
            deleted = connection.execute(queries.DELETE, until).rowcount
        yield deleted
        after = (last[0], last[1])


def count_cluster(connection: Connection, cluster: UUID) -> int:
    """Count the events of *cluster*."""
    return int(_only(connection, queries.COUNT_CLUSTER, cluster=cluster))


def purge_cluster(
    connection: Connection, cluster: UUID, batch_rows: int = BATCH_ROWS
) -> Iterator[int]:
    """Delete the events of *cluster*; yield the size of each batch, committed.

    Raises:
        SchemaError: the user may not purge.
    """
    deleted = batch_rows
    while deleted == batch_rows:
        deleted = int(_only(connection, queries.PURGE_CLUSTER, cluster=cluster, rows=batch_rows))
        yield deleted


def count_limits(connection: Connection, before: datetime) -> int:
    """Count the rate limits that could refuse only events that happened before *before*."""
    return int(_only(connection, queries.COUNT_LIMITS, before=before))


def purge_limits(
    connection: Connection, before: datetime, batch_rows: int = BATCH_ROWS
) -> Iterator[int]:
    """Delete the rate limits that could refuse only events that happened before *before*.

    Yields the size of each batch, committed. A limit that is in use at the moment is left.
    """
    last = ("", UUID(int=0))
    while True:
        after = {"name": last[0], "resource": last[1], "before": before, "rows": batch_rows}
        with needing("outbox_purger"), connection.transaction():
            deleted = connection.execute(queries.DELETE_LIMITS, after).fetchall()
        if not deleted:
            return
        yield len(deleted)
        last = deleted[-1]


def _only(connection: Connection, statement: str, **parameters: object) -> Any:  # noqa: ANN401 - what the column holds
    with needing("outbox_purger"), connection.transaction():
        row = connection.execute(statement.encode(), parameters).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row[0]
