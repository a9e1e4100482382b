"""Storage: sizes of the outbox's tables, their dead rows, and what keeps those from vacuum."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from relay.database.session import Connection
from relay.operations.outlook.facts import Questions, Session
from relay.operations.pins import Pin, pins
from relay.operations.queries import outlook, storage


@dataclass(frozen=True)
class TableState:
    """Table as the statistics of PostgreSQL have it."""

    name: str
    total_bytes: int
    index_bytes: int
    rows: int
    dead_rows: int
    last_vacuum: datetime | None
    vacuums: int


@dataclass(frozen=True)
class Storage:
    """Storage of the outbox; an answer of null is missing, and *unknown* says why."""

    tables: Sequence[TableState] | None
    pins: Sequence[Pin]
    writers: Sequence[Session] | None
    unknown: dict[str, str]


def inspect(connection: Connection) -> Storage:
    """Ask PostgreSQL how it keeps the outbox."""
    questions = Questions(connection)
    return Storage(
        tables=questions.ask("tables", class_row(TableState), storage.TABLES),
        pins=pins(connection),
        writers=questions.ask("open writers", class_row(Session), outlook.WRITERS, seconds=0.0),
        unknown=questions.unknown,
    )
