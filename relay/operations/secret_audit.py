"""Secret audit: search of the tables for secrets; it tells where they are, never their values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

from relay.database.session import Connection, needing
from relay.operations.queries import secret_audit as queries
from relay.service.redaction.redactor import Redactor

BATCH_ROWS: Final = 100


@dataclass(frozen=True)
class Exposure:
    """Field that seems to hold a secret; *id* is the row's in *table*."""

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
    """Yield every field of the outbox and the events that the redactor would change.

    *since*: time from which rows were written and events happened. *limit*: rows to read of each
    table. *seen* is called with the number of rows of each page that is done.

    Raises:
        SchemaError: the user may not read payloads.
    """
    for table, query in queries.BY_TABLE.items():
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
    connection: Connection, query: str, after: int, since: datetime | None, rows: int
) -> list[dict[str, Any]]:
    values = {"after": after, "since": since, "rows": rows}
    with (
        needing("outbox_payload_reader"),
        connection.transaction(),
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return cursor.execute(query.encode(), values).fetchall()
