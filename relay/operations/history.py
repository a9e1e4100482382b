"""History: changes by operators, as outbox_audit keeps them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.operations.queries import history as queries

LINES_MAX: Final = queries.LINES


@dataclass(frozen=True)
class PastChange:
    """Change by an operator. Of many ids, topics and keys the first twenty are named."""

    id: int
    at: datetime
    db_user: str
    person: str | None
    action: str
    reason: str
    shards: Sequence[int]
    rows: int
    outbox_ids: Sequence[int]
    topics: Sequence[str]
    keys: Sequence[str]

    @property
    def lines(self) -> int:
        """The lines that it has in the audit: one a row, or one a shard."""
        return max(self.rows, len(self.shards), 1)

    @property
    def who(self) -> str:
        """The person, else the database user."""
        return self.person or self.db_user


@dataclass(frozen=True)
class Past:
    """Filter of changes, which match everything that is given."""

    action: str | None = None
    person: str | None = None
    shard: int | None = None
    outbox_id: int | None = None
    event_id: UUID | None = None
    key: str | None = None
    topic: str | None = None


def history(
    connection: Connection, past: Past, *, limit: int, before: int | None = None
) -> list[PastChange]:
    """Return up to *limit* changes with ids below *before*, the newest first.

    Fewer, if there are no more, or if these have LINES_MAX lines and more.

    Raises:
        SchemaError: the user may not look at them.
    """
    parameters = {**asdict(past), "limit": limit, "before": before}
    with (
        needing("outbox_reader"),
        bounded(connection),
        connection.cursor(row_factory=class_row(PastChange)) as cursor,
    ):
        return cursor.execute(queries.HISTORY.encode(), parameters).fetchall()
