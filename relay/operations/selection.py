"""Rows of the outbox: finding them, and showing one."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg import errors
from psycopg.rows import class_row

from relay.database import schema
from relay.database.session import Connection, bounded, connected, needing
from relay.errors import RelayError
from relay.operations.queries import rows as queries
from relay.settings import DatabaseSettings

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
    """Which rows: those that fit everything that is given; ages are PostgreSQL intervals.

    The empty topic means rows that name none.
    """

    ids: Sequence[int] | None = None
    state: State | None = None
    key: str | None = None
    name: str | None = None
    topic: str | None = None
    older_than: str | None = None
    newer_than: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing but the state narrows it down."""
        given = asdict(self)
        del given["state"]
        return all(value is None for value in given.values())


@dataclass(frozen=True)
class Content:
    """What a row says, as it is stored."""

    payload: dict[str, Any]
    metadata: dict[str, Any] | None
    headers: dict[str, Any] | None


def find(
    database: DatabaseSettings, selection: Selection, *, limit: int, after: int = 0
) -> list[Row]:
    """Return up to *limit* rows with ids above *after*, in the order of their ids.

    Raises:
        RelayError: an age is not an interval, or the search took too long.
        SchemaError: there are no tables, or this user may not look at them.
        DatabaseUnavailableError: there is no connection.
    """
    with connected(database.conninfo(), "relay list") as connection:
        schema.verify(connection)
        return _select(connection, {**asdict(selection), "limit": limit, "after": after})


def content(database: DatabaseSettings, row_id: int) -> Content | None:
    """Return what the row says; None where it is gone.

    Raises:
        SchemaError: there are no tables, or this user may not read payloads.
        DatabaseUnavailableError: there is no connection.
    """
    with connected(database.conninfo(), "relay show") as connection:
        schema.verify(connection)
        with needing("outbox_payload_reader"):
            found = connection.execute(queries.PAYLOAD, {"id": row_id}).fetchone()
    return Content(*(text and json.loads(text) for text in found)) if found else None


def _select(connection: Connection, parameters: dict[str, Any]) -> list[Row]:
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
            "The rows were not found in time: narrow them down by state, key or topic."
        ) from None
