"""Shards: the age of the oldest row in each, whatever holds it back."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.operations.queries import browsing
from relay.operations.queries import status as queries
from relay.operations.selection import Row


@dataclass(frozen=True)
class ShardState:
    """Shard as its own row says it, and the age of its oldest waiting row."""

    shard: int
    paused_at: datetime | None
    isolated_until: int | None
    oldest_age_seconds: float | None = None


def read(connection: Connection) -> tuple[ShardState, ...]:
    """Return all shards in order, along the index of waiting rows.

    Raises:
        SchemaError: the user may not look at them.
    """
    with needing("outbox_reader"), bounded(connection):
        connection.execute(queries.ALONG_THE_INDEX)
        ages: dict[int, float] = dict(connection.execute(queries.OLDEST).fetchall())
        with connection.cursor(row_factory=class_row(ShardState)) as cursor:
            found = cursor.execute(queries.SHARDS).fetchall()
    return tuple(
        ShardState(each.shard, each.paused_at, each.isolated_until, ages.get(each.shard))
        for each in found
    )


def oldest_rows(connection: Connection, shard: int, limit: int) -> list[Row]:
    """Return the rows of *shard* that have waited longest.

    Raises:
        SchemaError: the user may not look at them.
    """
    with (
        needing("outbox_reader"),
        bounded(connection),
        connection.cursor(row_factory=class_row(Row)) as cursor,
    ):
        connection.execute(queries.ALONG_THE_INDEX)
        return cursor.execute(browsing.OF_SHARD, {"shard": shard, "limit": limit}).fetchall()
