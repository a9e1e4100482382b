"""Facts of an outbox: relays, backlog, pauses and locks, each asked in a transaction of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.rows import BaseRowFactory, class_row, tuple_row

from relay.database.connection import explain
from relay.database.session import STATEMENT_TIMEOUT_MS, Connection, bounded
from relay.operations.queries import outlook as queries
from relay.operations.queries.status import ALONG_THE_INDEX

COUNT_LIMIT: Final = 1_000_000
# Hashed one by one.
PARTITION_ROWS: Final = 20_000

Row = TypeVar("Row")


@dataclass(frozen=True)
class Thresholds:
    """Limits above which something is told as a finding; times are in seconds."""

    lag: float = 60.0
    writer: float = 60.0
    lease: float = 60.0
    blocked: float = 1.0
    xmin: float = 3_600.0
    xmin_transactions: int = 10_000_000
    dead_rows: int = 1_000_000
    clock_skew: float = 1.0


@dataclass(frozen=True)
class Relay:
    """One life of a relay, as it last described itself in outbox_relay."""

    name: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    silent_seconds: float
    alive: bool
    ended_at: datetime | None
    drain_timed_out: bool
    streaming: bool
    topic: str
    wake_up: str
    published: int
    parked: int
    rate: float
    missed: int
    leased_shards: int
    holds: Sequence[Mapping[str, Any]]
    broker_errors: Sequence[Mapping[str, Any]]
    fault: str | None = None
    topics: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Flag:
    """ENABLE_EVENT_STREAMING as the database has it, and the relay that recorded it."""

    streaming: bool
    by: str | None
    at: datetime | None


@dataclass(frozen=True)
class Waiting:
    """Rows of one shard and topic that wait; a topic of null is the relay's default."""

    shard: int
    topic: str | None
    rows: int


@dataclass(frozen=True)
class Pause:
    """Paused shard. Without *who* and *reason* it was paused by plain SQL."""

    shard: int
    paused_at: datetime
    who: str | None
    reason: str | None


@dataclass(frozen=True)
class Session:
    """Session of PostgreSQL in a transaction. Null times are hidden from this database user."""

    pid: int
    application: str
    user_name: str
    since: datetime | None
    seconds: float | None
    shards: Sequence[int] = ()
    tables: Sequence[str] = ()
    blocked: Sequence[int] = ()
    query_start: datetime | None = None

    @property
    def is_relay(self) -> bool:
        """True for a worker or sampler of a relay."""
        return self.application.startswith("outbox-relay ")


@dataclass(frozen=True)
class Parked:
    """Parked rows of a topic with one reason, in which N stands for any number."""

    reason: str
    rows: int
    first_id: int
    topic: str | None = None


@dataclass(frozen=True)
class Facts:
    """Answers of PostgreSQL; an answer of null is missing, and *unknown* says why."""

    flag: Flag | None
    relays: Sequence[Relay] | None
    backlog: Sequence[Waiting] | None
    oldest: Mapping[int, float] | None
    held_rows: Mapping[tuple[str, int | None], int | None]
    paused: Sequence[Pause] | None
    shard_locks: Sequence[Session] | None
    table_locks: Sequence[Session] | None
    blockers: Sequence[Session] | None
    writers: Sequence[Session] | None
    parked: Sequence[Parked] | None
    former: Sequence[tuple[str, int]] | None
    unsettled: Sequence[int]
    sequence: tuple[int, str] | None
    encoding: str | None
    unknown: Mapping[str, str]

    @property
    def pending(self) -> int | None:
        """The rows that wait; COUNT_LIMIT stands for more."""
        return None if self.backlog is None else sum(waiting.rows for waiting in self.backlog)

    @property
    def flowing(self) -> int | None:
        """The rows that wait for their turn alone: no pause, foreign lock or hold keeps them.

        Those of a held partition that are in paused shards are taken off twice.
        """
        if self.backlog is None:
            return None
        stopped = {pause.shard for pause in self.paused or ()}
        foreign = [session for session in self.shard_locks or () if not session.is_relay]
        stopped.update(shard for session in foreign for shard in session.shards)
        held = self.held_topics
        free = sum(
            waiting.rows for waiting in self.backlog
            if waiting.shard not in stopped and (waiting.topic or self.default_topic) not in held
        )  # fmt: skip
        partitions = [rows for (topic, _), rows in self.held_rows.items() if topic not in held]
        return max(0, free - sum(rows or 0 for rows in partitions))

    @property
    def held_topics(self) -> set[str]:
        """The topics that are on hold as a whole."""
        holds = [hold for relay in self.alive for hold in relay.holds]
        return {hold["topic"] for hold in holds if hold["partition"] is None}

    @property
    def alive(self) -> Sequence[Relay]:
        """The relays that gave a sign of life in time, and did not end."""
        return [relay for relay in self.relays or () if relay.alive]

    @property
    def streaming(self) -> Sequence[Relay]:
        """The living relays that ENABLE_EVENT_STREAMING tells to relay."""
        return [relay for relay in self.alive if relay.streaming]

    @property
    def default_topic(self) -> str:
        """The topic of rows that name none, as the youngest relay has it."""
        known = [relay.topic for relay in self.relays or () if relay.topic]
        return known[-1] if known else ""


def former(questions: "Questions") -> Sequence[tuple[str, int]] | None:
    """Ask for the tables that were the outbox, and about how many rows they have."""
    return questions.ask("tables that were the outbox", tuple_row, queries.FORMER)


def gather(connection: Connection, thresholds: Thresholds) -> Facts:
    """Ask PostgreSQL for all that decides whether rows are on their way."""
    questions = Questions(connection)
    ask, unknown = questions.ask, questions.unknown
    relays = ask("relays", class_row(Relay), queries.RELAYS)
    live = [relay for relay in relays or () if relay.alive]
    topic = next((relay.topic for relay in reversed(relays or ()) if relay.topic), "")
    holds = {(hold["topic"], hold["partition"]): hold for relay in live for hold in relay.holds}
    held = [name for name, partition in holds if partition is None]
    oldest = ask(
        "oldest rows", tuple_row, queries.OLDEST, along_the_index=True, held=held, topic=topic
    )
    flag = ask("flag", tuple_row, queries.STATE)
    cache = ask("sequence cache", tuple_row, queries.SEQUENCE_CACHE)
    encoding = ask("encoding", tuple_row, queries.ENCODING)
    sessions = class_row(Session)
    return Facts(
        flag=Flag(*flag[0]) if flag else None,
        relays=relays,
        backlog=ask("backlog", class_row(Waiting), queries.BACKLOG, limit=COUNT_LIMIT),
        oldest=None if oldest is None else dict(oldest),
        held_rows={
            place: questions.of_partition(topic, hold)
            for place, hold in holds.items()
            if hold["partition"] is not None
        },
        paused=ask("paused shards", class_row(Pause), queries.PAUSED),
        shard_locks=ask("locked shards", sessions, queries.SHARD_LOCKS),
        table_locks=ask("locked tables", sessions, queries.TABLE_LOCKS),
        blockers=ask("blocked relays", sessions, queries.BLOCKERS, seconds=thresholds.blocked),
        writers=ask("open writers", sessions, queries.WRITERS, seconds=thresholds.writer),
        parked=ask("parked rows", class_row(Parked), queries.PARKED, limit=COUNT_LIMIT),
        former=former(questions),
        unsettled=[id_ for (id_,) in ask("published rows", tuple_row, queries.UNSETTLED) or ()],
        sequence=cache[0] if cache else None,
        encoding=encoding[0][0] if encoding else None,
        unknown=unknown,
    )


@dataclass
class Questions:
    """Questions to PostgreSQL; *unknown* says which had no answer, and why."""

    connection: Connection
    unknown: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        what: str,
        make: BaseRowFactory[Row],
        query: str,
        *,
        along_the_index: bool = False,
        **parameters: object,
    ) -> list[Row] | None:
        """Return all rows of the answer; None where PostgreSQL refused it, or none came in time."""
        try:
            with (
                bounded(self.connection, STATEMENT_TIMEOUT_MS),
                self.connection.cursor(row_factory=make) as cursor,
            ):
                if along_the_index:
                    self.connection.execute(ALONG_THE_INDEX)
                return cursor.execute(query.encode(), parameters or None).fetchall()
        except errors.QueryCanceled:
            seconds = STATEMENT_TIMEOUT_MS / 1000
            self.unknown[what] = f"PostgreSQL did not answer within {seconds:g} s"
        except psycopg.Error as error:
            if self.connection.closed:
                raise
            self.unknown[what] = explain(error)
        return None

    def of_partition(self, default: str, hold: Mapping[str, Any]) -> int | None:
        """Return the rows that wait for a partition; None where there are too many to look at."""
        places = {name: hold[name] for name in ("topic", "partition", "partitions")}
        counted = self.ask(
            "rows of a partition", tuple_row, queries.OF_PARTITION,
            default=default, partitioner=hold.get("partitioner", "murmur2"),
            limit=PARTITION_ROWS, **places,
        )  # fmt: skip
        if not counted:
            return None
        rows, looked_at = counted[0]
        return None if looked_at == PARTITION_ROWS else int(rows)
