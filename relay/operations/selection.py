"""Rows of the outbox: those that match a selection, and the content of one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import errors
from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.errors import RelayError
from relay.operations.queries import selection as queries

# Changed at once; more would be a statement of minutes.
ROWS_MAX: Final = 100_000

State = Literal["pending", "parked"]


@dataclass(frozen=True)
class Row:
    """A row of the outbox without its payload. A topic of null is the relay's default."""

    id: int
    event_id: UUID
    shard: int
    topic: str | None
    key: str | None
    name: str
    state: State
    created_at: datetime
    age_seconds: float
    size: int
    attempts: int
    parked_at: datetime | None
    last_error: str | None


@dataclass(frozen=True)
class Selection:
    """Filter of rows, which match everything that is given; ages are PostgreSQL intervals.

    The empty topic stands for rows that name none; with *default_topic* they count as rows of that
    one. *reason*: the kind of error of parked rows, in which N stands for any number.
    """

    ids: Sequence[int] | None = None
    state: State | None = None
    key: str | None = None
    name: str | None = None
    topic: str | None = None
    older_than: str | None = None
    newer_than: str | None = None
    event_id: UUID | None = None
    reason: str | None = None
    default_topic: str | None = None

    @property
    def is_everything(self) -> bool:
        """True where nothing but the state narrows it down."""
        given = asdict(self)
        del given["state"], given["default_topic"]
        return all(value is None for value in given.values())


@dataclass(frozen=True)
class Content:
    """Payload, metadata and headers of a row, as they are stored."""

    payload: dict[str, Any]
    metadata: dict[str, Any] | None
    headers: dict[str, Any] | None


def find(connection: Connection, selection: Selection, *, limit: int, after: int = 0) -> list[Row]:
    """Return up to *limit* rows with ids above *after*, in the order of their ids.

    Raises:
        RelayError: an age is not an interval, or the search took too long.
        SchemaError: the user may not look at the rows.
    """
    parameters = {**asdict(selection), "limit": limit, "after": after}
    try:
        with (
            needing("outbox_reader"),
            bounded(connection),
            connection.cursor(row_factory=class_row(Row)) as cursor,
        ):
            return cursor.execute(queries.SELECT, parameters).fetchall()
    except (errors.InvalidDatetimeFormat, errors.DatetimeFieldOverflow) as error:
        raise RelayError(
            f"{error.diag.message_primary}: write an age such as 90s, 15m, 2h or 3d."
        ) from None
    except errors.QueryCanceled:
        raise RelayError(
            "The search took too long. Narrow it down by state, key or topic."
        ) from None


def matching(connection: Connection, selection: Selection) -> list[Row]:
    """Return all rows to be changed together.

    Raises:
        RelayError: no row matches, more than ROWS_MAX do, or `find` fails.
        SchemaError: the user may not look at the rows.
    """
    rows = find(connection, selection, limit=ROWS_MAX + 1)
    if len(rows) > ROWS_MAX:
        raise RelayError(
            f"More than {ROWS_MAX:,} rows match; nothing was changed. Narrow them down, for "
            "example by their age."
        )
    if not rows and selection.ids is None:
        raise RelayError("No rows match; nothing was changed.")
    return rows


def confirm(rows: Sequence[Row], count: int) -> None:
    """Make sure that as many rows match as the person expects.

    Raises:
        RelayError: *count* is another number.
    """
    if len(rows) != count:
        raise RelayError(
            f"{len(rows):,} rows match, not {count:,}; nothing was changed. Look again with "
            "--dry-run."
        )


def content(connection: Connection, row_id: int) -> Content | None:
    """Return the content of a row; None where the row is gone.

    Raises:
        SchemaError: the user may not read payloads.
    """
    with needing("outbox_payload_reader"), connection.transaction():
        found = connection.execute(queries.PAYLOAD, {"id": row_id}).fetchone()
    return Content(*(text and json.loads(text) for text in found)) if found else None
