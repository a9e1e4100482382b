"""Looks for secrets that are in the tables already, and tells where, never what."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import sql
from psycopg.rows import dict_row

from relay.database.session import Connection
from relay.service.redaction.redactor import Redactor

BATCH_ROWS: Final = 100

# Both by their primary keys: no sort, no index of its own, and a page at a time.
_SOURCES: Final[Mapping[str, sql.SQL]] = {
    "outbox": sql.SQL(
        "SELECT id, name, payload, headers FROM outbox"
        " WHERE id > %(after)s AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)"
        " ORDER BY id LIMIT %(rows)s"
    ),
    "outbox_event": sql.SQL(
        "SELECT id, name, message, request_id, props FROM outbox_event"
        " WHERE id > %(after)s AND (%(since)s::timestamptz IS NULL OR event_time >= %(since)s)"
        " ORDER BY id LIMIT %(rows)s"
    ),
}


@dataclass(frozen=True)
class Exposure:
    """A field that holds what looks like a secret; *id* is the row's in *table*."""

    table: str
    id: int
    name: str
    field: str


def exposures(
    connection: Connection,
    redactor: Redactor,
    *,
    since: datetime | None,
    limit: int | None,
    seen: Callable[[int], None],
) -> Iterator[Exposure]:
    """Yield every field of the outbox and the table outbox_event that the redactor would change.

    *since*: rows written, events happened from then on. *limit*: the first rows of each table.
    *seen* is told how many rows are done, a page at a time.
    """
    for table, query in _SOURCES.items():
        left, after = limit, 0
        while left is None or left > 0:
            rows = BATCH_ROWS if left is None else min(BATCH_ROWS, left)
            page = _page(connection, query, after, since, rows)
            for row in page:
                for field in _fields(row, redactor):
                    yield Exposure(table, row["id"], redactor.text(row["name"]), field)
            seen(len(page))
            if len(page) < rows:
                break
            after = page[-1]["id"]
            left = None if left is None else left - len(page)


def differences(value: object, redacted: object, path: str) -> Iterator[str]:
    """Yield the paths at which *redacted* is not *value*; no path ever shows a value."""
    if isinstance(value, dict) and isinstance(redacted, dict) and len(value) == len(redacted):
        for (_, inner), (shown, safe) in zip(value.items(), redacted.items(), strict=True):
            yield from differences(inner, safe, f"{path}.{shown}")
        if value.keys() != redacted.keys():
            yield f"{path} (the name of a field)"
    elif isinstance(value, list) and isinstance(redacted, list) and len(value) == len(redacted):
        for index, (inner, safe) in enumerate(zip(value, redacted, strict=True)):
            yield from differences(inner, safe, f"{path}[{index}]")
    elif value != redacted:
        yield path


def _fields(row: Mapping[str, Any], redactor: Redactor) -> Iterator[str]:
    for column, value in row.items():
        if column not in {"id", "name"}:
            yield from differences(value, redactor.redact(value), column)


def _page(
    connection: Connection, query: sql.SQL, after: int, since: datetime | None, rows: int
) -> list[dict[str, Any]]:
    values = {"after": after, "since": since, "rows": rows}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()
