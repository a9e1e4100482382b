"""Status of an outbox: backlog, age, holders of shards, busiest keys, parked rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from psycopg import errors
from psycopg.rows import BaseRowFactory, class_row, tuple_row

from relay.database import schema
from relay.database.session import STATEMENT_TIMEOUT_MS, Connection, bounded, needing
from relay.operations.outlook.facts import COUNT_LIMIT, Facts, Waiting
from relay.operations.queries import status as queries

KEY_SCAN_ROWS = 100_000

KeyOrder = Literal["rows", "age"]
_KEY_ORDERS: Mapping[KeyOrder, str] = {
    "rows": "pending DESC, oldest_age_seconds DESC",
    "age": "oldest_age_seconds DESC, pending DESC",
}


@dataclass(frozen=True)
class Holder:
    """Connection that has a shard locked. Null: hidden from this database user."""

    pid: int
    application_name: str
    client_address: str | None
    since: datetime | None


@dataclass(frozen=True)
class Shard:
    """Shard of the outbox. Its oldest age is null where nothing is pending."""

    shard: int
    pending: int | None
    oldest_age_seconds: float | None
    paused_at: datetime | None
    isolated_until: int | None
    holder: Holder | None = None


@dataclass(frozen=True)
class Key:
    """Key among those of the oldest pending rows."""

    key: str
    shard: int
    pending: int
    oldest_age_seconds: float


@dataclass(frozen=True)
class ParkedRow:
    """Row that is kept apart until somebody requeues or discards it."""

    id: int
    event_id: UUID
    shard: int
    topic: str | None
    key: str | None
    name: str
    attempts: int
    parked_at: datetime
    last_error: str | None


@dataclass(frozen=True)
class Status:
    """Status of an outbox. A null count took too long; `notes` says so.

    *pending* and *parked* are counted up to `COUNT_LIMIT`; capped means that there may be more.
    """

    database: str
    schema_version: int
    streaming: bool
    pending: int | None
    pending_is_capped: bool
    oldest_age_seconds: float | None
    parked: int | None
    parked_is_capped: bool
    shards: tuple[Shard, ...]
    keys: tuple[Key, ...]
    newest_parked: tuple[ParkedRow, ...]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return asdict(self)


def inspect(
    connection: Connection,
    *,
    keys: int = 10,
    order: KeyOrder = "rows",
    parked: int = 10,
    facts: Facts | None = None,
) -> Status:
    """Look at the outbox without reading a payload and without holding up anybody.

    *keys* and *parked* bound the lists; *order* puts the keys with most rows or the oldest first.
    *facts* that were gathered a moment ago save the count of the backlog.

    Raises:
        SchemaError: there are no outbox tables, or this user may not look at them.
    """
    state = schema.verify(connection)
    info = connection.info
    questions = _Questions(connection)
    shards = questions.shards(facts)
    pending = _total(shard.pending for shard in shards)
    parked_count = questions.parked_count()
    return Status(
        database=f"{info.host}:{info.port}/{info.dbname}",
        schema_version=state.version,
        streaming=state.streaming,
        pending=pending,
        pending_is_capped=(pending or 0) >= COUNT_LIMIT,
        oldest_age_seconds=max(
            filter(None, (shard.oldest_age_seconds for shard in shards)), default=None
        ),
        parked=parked_count,
        parked_is_capped=(parked_count or 0) >= COUNT_LIMIT,
        shards=shards,
        keys=questions.keys(keys, order),
        newest_parked=questions.newest_parked(parked),
        notes=tuple(questions.notes),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _by_shard(backlog: Iterable[Waiting]) -> tuple[tuple[int, int], ...]:
    counts: Counter[int] = Counter()
    for waiting in backlog:
        counts[waiting.shard] += waiting.rows
    return tuple(counts.items())


Row = TypeVar("Row")


class _Questions:
    """Questions to PostgreSQL; an answer that takes too long is left out, with a note."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.notes: list[str] = []

    def shards(self, facts: Facts | None) -> tuple[Shard, ...]:
        pending = (
            _by_shard(facts.backlog)
            if facts is not None and facts.backlog is not None
            else self._ask(tuple_row, queries.BACKLOG, "the number of rows", limit=COUNT_LIMIT)
        )
        oldest = self._ask(tuple_row, queries.OLDEST, "the oldest rows", along_the_index=True)
        counts: dict[int, int] = dict(pending or ())
        ages: dict[int, float] = dict(oldest or ())
        holders = self._holders()
        rows = self._ask(tuple_row, queries.SHARDS, "the shards") or ()
        return tuple(
            Shard(
                shard=shard,
                pending=None if pending is None else counts.get(shard, 0),
                oldest_age_seconds=ages.get(shard),
                paused_at=paused_at,
                isolated_until=isolated_until,
                holder=holders.get(shard),
            )
            for shard, paused_at, isolated_until in rows
        )

    def keys(self, count: int, order: KeyOrder) -> tuple[Key, ...]:
        query = queries.KEYS.replace("{order}", _KEY_ORDERS[order])
        limits = {"limit": KEY_SCAN_ROWS, "keys": count}
        return self._ask(class_row(Key), query, "the keys", along_the_index=True, **limits) or ()

    def parked_count(self) -> int | None:
        counted = self._ask(
            tuple_row, queries.PARKED_COUNT, "the number of parked rows", limit=COUNT_LIMIT
        )
        return counted[0][0] if counted else None

    def newest_parked(self, count: int) -> tuple[ParkedRow, ...]:
        newest = class_row(ParkedRow)
        return self._ask(newest, queries.PARKED_NEWEST, "the parked rows", rows=count) or ()

    def _holders(self) -> dict[int, Holder]:
        found = self._ask(tuple_row, queries.HOLDERS, "the holders of shards") or ()
        holders = {shard: Holder(*holder) for shard, *holder in found}
        if any(holder.client_address is None for holder in holders.values()):
            self.notes.append(
                "Addresses and start times of other users' connections are hidden from this "
                "database user. Grant it pg_read_all_stats."
            )
        return holders

    def _ask(
        self,
        make: BaseRowFactory[Row],
        query: str,
        what: str,
        /,
        *,
        along_the_index: bool = False,
        **parameters: object,
    ) -> tuple[Row, ...] | None:
        try:
            with (
                needing("outbox_reader"),
                bounded(self._connection, STATEMENT_TIMEOUT_MS),
                self._connection.cursor(row_factory=make) as cursor,
            ):
                if along_the_index:
                    self._connection.execute(queries.ALONG_THE_INDEX)
                return tuple(cursor.execute(query.encode(), parameters))
        except errors.QueryCanceled:
            seconds = STATEMENT_TIMEOUT_MS / 1000
            self.notes.append(f"PostgreSQL took longer than {seconds:g} s; missing here: {what}.")
        return None
