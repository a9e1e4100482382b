"""The statements that write a batch, the same for every driver.

One INSERT a chunk, whatever the number of records: the values travel as arrays, so the text is
always the same and stays prepared. The arrays are written as texts, which every driver sends alike
and at once, where psycopg builds them in Python. No RETURNING and no ON CONFLICT: writers may only
INSERT.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import zip_longest
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from relay.formats.event_record import EventRecord
from relay.service import rate_limits
from relay.service.capture import capture
from relay.service.records import Batch, OutboxRecord

CHUNK_BYTES = 4 << 20
ADVISORY_LOCK_SEED = 0x6F7574626F78
"""Our own part of the space of advisory locks: "outbox" in ASCII."""

_CASTS: Final = {
    "event_id": "uuid",
    "payload": "json",
    "metadata": "json",
    "headers": "json",
    "replayed": "boolean",
    "event_time": "timestamptz",
    "cluster_id": "uuid",
    "host_id": "uuid",
    "infra_env_id": "uuid",
    "props": "jsonb",
}

Query = TypeVar("Query")
Record = TypeVar("Record", OutboxRecord, EventRecord)
Placeholder: TypeAlias = Callable[[str, int], str]
_Kind: TypeAlias = tuple[bool, bool]


class Step(NamedTuple, Generic[Query]):
    """One statement; its parameters stand in the order of its placeholders."""

    query: Query
    parameters: Mapping[str, Any]


class Statements(Generic[Query]):
    """Statements of a batch as one driver takes them: lock, then ask for admission, then insert.

    *placeholder* returns the placeholder of a parameter, given its name and its number from 1;
    *prepare* turns the text of a statement into what the driver executes.
    """

    def __init__(self, placeholder: Placeholder, prepare: Callable[[str], Query]) -> None:
        self._lock = prepare(_lock(placeholder))
        # By the schema of the tables: a process has one, and rarely a second.
        self._admission = cache(lambda place: prepare(_admission(placeholder, place)))
        self._inserts = cache(
            lambda place: {
                kind: prepare(text) for kind, text in _inserts(placeholder, place).items()
            }
        )

    def lock(self, batch: Batch) -> Step[Query] | None:
        """Return the statement that locks the keys of *batch*, if there are any."""
        return Step(self._lock, {"keys": batch.keys}) if batch.keys else None

    def admission(self, batch: Batch) -> Step[Query] | None:
        """Return the query for the event ids that are not to be stored, if any has a limit."""
        if not batch.limits:
            return None
        return Step(self._admission(_place(batch.schema)), rate_limits.parameters(batch.limits))

    def inserts(self, batch: Batch, refused: Collection[str] = ()) -> Iterator[Step[Query]]:
        """Yield the INSERTs of *batch*, less the events with the ids *refused*."""
        statements = self._inserts(_place(batch.schema))
        if batch.limits:
            batch = _admitted(batch, frozenset(refused))
        for events, outbox in zip_longest(_cut(batch.events), _cut(batch.outbox), fillvalue=()):
            yield Step(
                statements[bool(events), bool(outbox)],
                _arrays("outbox_event", EventRecord._fields, events)
                | _arrays("outbox", OutboxRecord._fields, outbox),
            )
        # Asked for the next one, the driver has executed all of them.
        capture(batch.outbox)


def _place(schema: str | None) -> str:
    """Return what stands before the name of a table in *schema*."""
    if schema is None:
        return ""
    return f'"{schema}".'


def _lock(placeholder: Placeholder) -> str:
    return (
        f"SELECT pg_advisory_xact_lock(hashtextextended(key, {ADVISORY_LOCK_SEED}))"  # noqa: S608
        f" FROM unnest(cast({placeholder('keys', 1)} as text[])) AS key"
    )


def _admission(placeholder: Placeholder, place: str) -> str:
    columns = rate_limits.COLUMNS
    arrays = ", ".join(
        f"cast({placeholder(f'limit_{name}', number)} as text[])"
        for number, name in enumerate(columns, start=1)
    )
    return (
        f"SELECT event_id FROM unnest({arrays}) AS l ({', '.join(columns)})"  # noqa: S608
        f" WHERE NOT {place}outbox_event_admitted(name, cast(resource as uuid),"
        " cast(event_time as timestamptz), cast(pause as interval), own_kind, own_id)"
    )


def _inserts(placeholder: Placeholder, place: str) -> dict[_Kind, str]:
    """Return the statements by (has events, has outbox records)."""
    insert = partial(_insert, place)
    events = insert("outbox_event", EventRecord._fields, placeholder, 1)
    # Both in one round trip: it is the writer's transaction that waits.
    after = insert("outbox", OutboxRecord._fields, placeholder, 1 + len(EventRecord._fields))
    return {
        (True, False): events,
        (False, True): insert("outbox", OutboxRecord._fields, placeholder, 1),
        (True, True): f"WITH stored AS ({events}) {after}",
    }


def _insert(
    place: str, table: str, columns: Sequence[str], placeholder: Placeholder, first: int
) -> str:
    arrays = (
        f"cast(cast({placeholder(f'{table}_{name}', number)} as text) as text[])"
        for number, name in enumerate(columns, start=first)
    )
    values = (f"cast({name} as {_CASTS[name]})" if name in _CASTS else name for name in columns)
    # Ids are drawn in the order of the sorted rows, so the order of the batch is kept.
    return (
        f"INSERT INTO {place}{table} ({', '.join(columns)}) SELECT {', '.join(values)}"  # noqa: S608
        f" FROM unnest({', '.join(arrays)}) WITH ORDINALITY AS r ({', '.join(columns)}, position)"
        " ORDER BY position"
    )


def _admitted(batch: Batch, refused: frozenset[str]) -> Batch:
    """Return *batch* without the refused events, and their messages if so configured."""
    rate_limits.warn(batch.limits, refused)
    silent = refused & {limit.event_id for limit in batch.limits if not limit.streamed}
    return Batch(
        [record for record in batch.outbox if record.event_id not in silent],
        [event for event in batch.events if event.event_id not in refused],
        schema=batch.schema,
    )


def _cut(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Cut *records* into parts of about CHUNK_BYTES."""
    start = size = 0
    for index, record in enumerate(records):
        size += sum(len(value) for value in record if value)
        if size > CHUNK_BYTES:
            yield records[start : index + 1]
            start, size = index + 1, 0
    if start < len(records):
        yield records[start:]


def _arrays(
    table: str, columns: Sequence[str], records: Sequence[Sequence[str | None]]
) -> dict[str, str]:
    if not records:
        return {}
    return {
        f"{table}_{name}": array_text(values)
        for name, values in zip(columns, zip(*records, strict=True), strict=True)
    }


def array_text(values: Sequence[str | None]) -> str:
    """Return *values* as PostgreSQL reads an array of texts."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
