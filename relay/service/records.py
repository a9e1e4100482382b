"""Rows of the outbox and of `outbox_event`, and the statement that inserts any number of them.

One statement a chunk, whatever the number of rows: the values travel as arrays, so the text is
always the same and stays prepared. The arrays are written as texts, which every driver sends alike
and at once, where psycopg builds them in Python. No RETURNING and no ON CONFLICT: writers may only
INSERT.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple, TypeVar

import psycopg
from sqlalchemy import Connection, TextClause, text

from relay.errors import NoTransactionError
from relay.formats.event_record import EventRecord
from relay.service import rate_limits
from relay.service.rate_limits import Limit

CHUNK_BYTES = 4 << 20
ADVISORY_LOCK_SEED = 0x6F7574626F78
"""Our own part of the space of advisory locks: "outbox" in ASCII."""


class OutboxRecord(NamedTuple):
    """A row of `outbox`, in texts."""

    event_id: str
    topic: str | None
    key: str | None
    name: str
    payload: str
    metadata: str
    headers: str | None


class Chunk(NamedTuple):
    """What one statement inserts; before that the database decides about the *limits*."""

    outbox: Sequence[OutboxRecord]
    events: Sequence[EventRecord]
    limits: Sequence[Limit] = ()


_CASTS = {
    "event_id": "uuid",
    "payload": "json",
    "metadata": "json",
    "headers": "json",
    "event_time": "timestamptz",
    "cluster_id": "uuid",
    "host_id": "uuid",
    "infra_env_id": "uuid",
    "props": "jsonb",
}

Row = TypeVar("Row", OutboxRecord, EventRecord)


def _insert(table: str, columns: Sequence[str], placeholder: str) -> str:
    arrays = (
        f"cast(cast({placeholder.format(f'{table}_{name}')} as text) as text[])" for name in columns
    )
    values = (f"cast({name} as {_CASTS[name]})" if name in _CASTS else name for name in columns)
    # Ids are drawn in the order of the sorted rows, so the order of the buffer is kept.
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"  # noqa: S608
        f" FROM unnest({', '.join(arrays)}) WITH ORDINALITY AS r ({', '.join(columns)}, position)"
        " ORDER BY position"
    )


def _statements(placeholder: str) -> dict[tuple[bool, bool], str]:
    """Return the statements by (has outbox rows, has event rows)."""
    outbox = _insert("outbox", OutboxRecord._fields, placeholder)
    events = _insert("outbox_event", EventRecord._fields, placeholder)
    # Both in one round trip: it is the writer's transaction that waits.
    both = f"WITH stored AS ({events}) {outbox}"
    return {(True, False): outbox, (False, True): events, (True, True): both}


def _lock(placeholder: str) -> str:
    return (
        f"SELECT pg_advisory_xact_lock(hashtextextended(key, {ADVISORY_LOCK_SEED}))"  # noqa: S608
        f" FROM unnest(cast({placeholder.format('keys')} as text[])) AS key"
    )


_SQLALCHEMY: dict[tuple[bool, bool], TextClause] = {
    kind: text(statement) for kind, statement in _statements(":{}").items()
}
_SQLALCHEMY_LOCK = text(_lock(":{}"))
_PSYCOPG = {kind: statement.encode() for kind, statement in _statements("%({})s").items()}
_PSYCOPG_LOCK = _lock("%({})s").encode()
_SQLALCHEMY_LIMIT = text(rate_limits.statement(":{}"))
_PSYCOPG_LIMIT = rate_limits.statement("%({})s").encode()


def write(connection: Connection, chunk: Chunk, locks: Iterable[str] = ()) -> None:
    """Insert *chunk* in the open transaction of *connection*, after locking the keys *locks*.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
    """
    dbapi_connection: Any = connection.connection.dbapi_connection
    if connection.dialect.detect_autocommit_setting(dbapi_connection):
        raise NoTransactionError(
            "This connection is in autocommit mode, so the rows could not belong to the "
            "transaction of your change: use a connection without isolation_level='AUTOCOMMIT'."
        )
    if keys := sorted(set(locks)):
        connection.execute(_SQLALCHEMY_LOCK, {"keys": keys})
    if chunk.limits:
        refused = connection.execute(
            _SQLALCHEMY_LIMIT, rate_limits.parameters(chunk.limits)
        ).scalars()
        chunk = _without(chunk, frozenset(refused))
    for kind, parameters in _chunks(chunk):
        connection.execute(_SQLALCHEMY[kind], parameters)


def write_psycopg(
    connection: psycopg.Connection[Any], chunk: Chunk, locks: Iterable[str] = ()
) -> None:
    """Like `write`, on a psycopg connection."""
    _require_transaction(connection)
    # A plain cursor, whatever the connection's own cursors make of placeholders.
    with psycopg.Cursor(connection) as cursor:
        if keys := sorted(set(locks)):
            cursor.execute(_PSYCOPG_LOCK, {"keys": keys})
        if chunk.limits:
            refused = cursor.execute(
                _PSYCOPG_LIMIT, rate_limits.parameters(chunk.limits)
            ).fetchall()
            chunk = _without(chunk, frozenset(row[0] for row in refused))
        for kind, parameters in _chunks(chunk):
            cursor.execute(_PSYCOPG[kind], parameters)


async def write_psycopg_async(
    connection: psycopg.AsyncConnection[Any], chunk: Chunk, locks: Iterable[str] = ()
) -> None:
    """Like `write`, on an asynchronous psycopg connection."""
    _require_transaction(connection)
    async with psycopg.AsyncCursor(connection) as cursor:
        if keys := sorted(set(locks)):
            await cursor.execute(_PSYCOPG_LOCK, {"keys": keys})
        if chunk.limits:
            await cursor.execute(_PSYCOPG_LIMIT, rate_limits.parameters(chunk.limits))
            chunk = _without(chunk, frozenset(row[0] for row in await cursor.fetchall()))
        for kind, parameters in _chunks(chunk):
            await cursor.execute(_PSYCOPG[kind], parameters)


def _without(chunk: Chunk, refused: frozenset[str]) -> Chunk:
    """Return *chunk* without the events that were refused, and their messages if so configured."""
    rate_limits.warn(chunk.limits, refused)
    silent = refused & {limit.event_id for limit in chunk.limits if not limit.streamed}
    return Chunk(
        [row for row in chunk.outbox if row.event_id not in silent],
        [event for event in chunk.events if event.event_id not in refused],
    )


def _require_transaction(
    connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
) -> None:
    idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    # In a pipeline the status lags behind what was sent.
    sent = connection.info.pipeline_status != psycopg.pq.PipelineStatus.OFF
    if connection.autocommit and idle and not sent:
        raise NoTransactionError(
            "This connection is in autocommit mode and outside a transaction, so the rows could "
            "not belong to the transaction of your change: emit inside `with conn.transaction():`."
        )


def _chunks(chunk: Chunk) -> Iterator[tuple[tuple[bool, bool], Mapping[str, str]]]:
    pairs = zip_longest(_cut(chunk.outbox), _cut(chunk.events), fillvalue=())
    for outbox, events in pairs:
        yield (
            (bool(outbox), bool(events)),
            _arrays("outbox", OutboxRecord._fields, outbox)
            | _arrays("outbox_event", EventRecord._fields, events),
        )


def _cut(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut *rows* into parts of about CHUNK_BYTES."""
    start = size = 0
    for index, row in enumerate(rows):
        size += sum(len(value) for value in row if value)
        if size > CHUNK_BYTES:
            yield rows[start : index + 1]
            start, size = index + 1, 0
    if start < len(rows):
        yield rows[start:]


def _arrays(
    table: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> dict[str, str]:
    if not rows:
        return {}
    return {
        f"{table}_{name}": _array(values)
        for name, values in zip(columns, zip(*rows, strict=True), strict=True)
    }


def _array(values: Sequence[str | None]) -> str:
    """Return *values* as PostgreSQL reads an array of texts."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
