"""The table of docs/writers.md: each promise is tried with each kind of writer."""

import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest

from relay import Event, Message, Outbox, Severity
from relay.database.migration import migrate
from relay.errors import PayloadError, SchemaError
from relay.service.insert import ADVISORY_LOCK_SEED
from relay.service.rate_limits import RateLimits
from tests.service.transactions import KINDS, Opener, Transaction
from tests.service.writers_page import assert_documented
from tests.support.postgres import Database
from tests.support.service import VERSIONS, Stored

PLAIN_SQL: Final = ("outbox_emit", "insert")
CLUSTER: Final = uuid.UUID("0c1ab1e0-0000-4000-8000-000000000001")


class Retold(Event, severity=Severity.INFO, message="Told of {what}"):
    what: str


def told(what: str = "it") -> Retold:
    return Retold(cluster_id=CLUSTER, what=what, request_id="request-7")


@dataclass(frozen=True)
class Trial:
    """One kind of writer in a database that holds nothing."""

    database: Database
    stored: Stored
    name: str
    opener: Opener

    @property
    def is_plain_sql(self) -> bool:
        return self.name in PLAIN_SQL

    def begin(self, **options: Any) -> AbstractAsyncContextManager[Transaction]:  # noqa: ANN401
        """Open a transaction, for an outbox that is made with these *options*."""
        given = {"streaming": True, "versions": VERSIONS, **options}
        return self.opener(self.database, Outbox(**given))

    def owner(self, statement: str) -> None:
        with self.database.connect() as connection:
            connection.execute(statement.encode())

    def changes(self) -> int:
        with self.database.connect() as connection:
            return len(connection.execute("SELECT FROM changes").fetchall())


CHANGE: Final = "INSERT INTO changes DEFAULT VALUES"


async def committed(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.execute(CHANGE)
        await now.emit(Message("Plain", {"n": 1}))
        assert trial.stored.names() == []
    assert (trial.stored.names(), trial.changes()) == (["Plain"], 1)


async def rolled_back(trial: Trial) -> None:
    async def transaction() -> None:
        async with trial.begin() as now:
            await now.execute(CHANGE)
            await now.emit(Message("Phantom", {}))
            raise LookupError

    with pytest.raises(LookupError):
        await transaction()
    assert (trial.stored.names(), trial.changes()) == ([], 0)


async def savepoints(trial: Trial) -> None:
    async def inner(now: Transaction) -> None:
        async with now.savepoint():
            await now.emit(Message("Phantom", {}))
            async with now.savepoint():
                await now.emit(Message("Phantom", {}))
            raise LookupError

    async with trial.begin() as now:
        await now.emit(Message("Before", {}))
        with pytest.raises(LookupError):
            await inner(now)
        async with now.savepoint():
            await now.emit(Message("Within", {}))
        await now.emit(Message("After", {}))
    assert trial.stored.names() == ["Before", "Within", "After"]


async def as_given(trial: Trial) -> None:
    headers = {"traceparent": "00-a-b-01"}
    payload = {"n": 1, "text": 'quoted "\\" ü {}', "none": None}
    plain = Message("Plain", payload, key="k", topic="t")
    async with trial.begin() as now:
        assert await now.emit(plain, headers=headers) == plain.event_id
        await now.emit(Message("Plain", {}, key="k"), key="other", topic="elsewhere")
    first, second = trial.stored.outbox()
    assert (first["event_id"], first["payload"]) == (plain.event_id, plain.payload)
    assert (first["key"], first["topic"], first["headers"]) == ("k", "t", headers)
    assert (second["key"], second["topic"], second["headers"]) == ("other", "elsewhere", None)
    # A row of plain SQL has none: the relay fills it.
    assert first["metadata"] == (None if trial.is_plain_sql else {"versions": VERSIONS})


async def in_order(trial: Trial) -> None:
    names = [f"N{number}" for number in range(20)]
    async with trial.begin() as now:
        for name in names:
            await now.emit(Message(name, {}, key="k"))
    assert trial.stored.names() == names


async def drawn_late(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.emit(Message("First", {}))
        async with trial.begin() as other:
            await other.emit(Message("Second", {}))
    assert trial.stored.names() == ["Second", "First"]


async def silent(trial: Trial) -> None:
    trial.owner("UPDATE outbox_state SET streaming = false")
    try:
        async with trial.begin(streaming=False) as now:
            await now.emit(Message("Plain", {}))
    finally:
        trial.owner("UPDATE outbox_state SET streaming = true")
    assert trial.stored.names() == []


async def stored_while_silent(trial: Trial) -> None:
    async with trial.begin(streaming=False) as now:
        await now.emit(told())
    assert trial.stored.names() == []
    assert [row["message"] for row in trial.stored.events()] == ["Told of it"]


async def without_secrets(trial: Trial) -> None:
    payload = {"password": "hunter2", "log": "curl -H 'Authorization: Bearer hunter2'"}
    async with trial.begin() as now:
        await now.emit(Message("Plain", payload), headers={"cookie": "sid=hunter2"})
        if not trial.is_plain_sql:
            await now.emit(told("https://me:hunter2@example.com"))
    assert "hunter2" not in trial.stored.shown()
    assert trial.stored.names()


UNPUBLISHABLE: Final[dict[str, tuple[Message, dict[str, Any]]]] = {
    "key": (Message("Plain", {}), {"key": "k" * 2000}),
    "header": (Message("Plain", {}), {"headers": {"seq": "1"}}),
    "topic": (Message("Plain", {}), {"topic": "a b"}),
    "NUL": (Message("Plain", {"text": "\0"}), {}),
    "surrogate": (Message("Plain", {"text": "\ud800"}), {}),
    "NaN": (Message("Plain", {"number": float("nan")}), {}),
    "no object": (Message("Plain", [1]), {}),  # type: ignore[arg-type]
    "name": (Message("", {}), {}),
}


async def refused_at_once(trial: Trial) -> None:
    async def emit(now: Transaction, item: Message, given: dict[str, Any]) -> None:
        async with now.savepoint():
            await now.emit(item, **given)

    async with trial.begin() as now:
        for item, given in UNPUBLISHABLE.values():
            with pytest.raises(Exception if trial.is_plain_sql else PayloadError):
                await emit(now, item, given)
        await now.emit(Message("Plain", {}))
    assert trial.stored.names() == ["Plain"]


async def told_what_to_do(trial: Trial) -> None:
    async def transaction() -> None:
        async with trial.begin() as now:
            await now.execute(CHANGE)
            await now.emit(Message("Plain", {}))

    trial.owner("ALTER TABLE outbox RENAME TO gone")
    try:
        with pytest.raises(SchemaError, match="Run `relay migrate`"):
            await transaction()
    finally:
        trial.owner("ALTER TABLE gone RENAME TO outbox")
    assert trial.changes() == 0


async def locked_keys(trial: Trial) -> None:
    async def transaction() -> None:
        async with trial.begin() as now:
            await now.emit(Message("Late", {}, key="k"), ordered=True)

    with trial.database.connect() as other:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended('k', %s))"
        other.execute(lock, [ADVISORY_LOCK_SEED])
        with pytest.raises(Exception, match="lock timeout"):
            await transaction()
    await transaction()
    assert trial.stored.names() == ["Late"]


async def request_ids(trial: Trial) -> None:
    async with trial.begin() as now:
        await now.emit(told())
    assert [row["request_id"] for row in trial.stored.events()] == ["request-7"]


async def rate_limits(trial: Trial) -> None:
    limits = RateLimits({"Retold": timedelta(hours=1)})
    async with trial.begin(rate_limits=limits) as now:
        await now.emit(told("one"))
        await now.emit(told("another"))
    assert [row["message"] for row in trial.stored.events()] == ["Told of one"]
    assert trial.stored.names() == ["Retold"]


async def captured(trial: Trial) -> None:
    with Outbox(streaming=True).captured() as messages:
        async with trial.begin() as now:
            await now.emit(Message("Plain", {"n": 1}))
    assert [message.payload for message in messages] == [{"n": 1}]


PROMISES: Final[dict[str, Callable[[Trial], Awaitable[None]]]] = {
    "committed with the change, and not before": committed,
    "rolled back with the change": rolled_back,
    "rolled back with a savepoint, nested ones too": savepoints,
    "key, topic, headers and event id as given": as_given,
    "in the order of the emits": in_order,
    "the id is drawn just before the commit": drawn_late,
    "`ordered=True` locks the key until the end": locked_keys,
    "nothing in the outbox while streaming is off": silent,
    "events stored while streaming is off": stored_while_silent,
    "no secret": without_secrets,
    "what cannot be published is refused at the emit": refused_at_once,
    "without tables: an error that names `relay migrate`": told_what_to_do,
    "the request id of an event is stored": request_ids,
    "rate limits": rate_limits,
    "seen by `outbox.captured()`": captured,
}


@pytest.fixture
def trying(database: Database) -> Database:
    """A database in which everybody waits but briefly for a lock."""
    with database.connect() as connection:
        connection.execute("CREATE TABLE changes ()")
        connection.execute("GRANT INSERT ON changes TO outbox_writer")
        connection.execute(f"ALTER DATABASE {database.name} SET lock_timeout = '50ms'".encode())
    return database


@pytest.mark.early
@pytest.mark.parametrize("promise", PROMISES)
async def test_a_writer_keeps_what_the_page_says(
    promise: str, trying: Database, stored: Stored
) -> None:
    for kind, openers in KINDS.items():
        for name, opener in openers.items():
            trial = Trial(trying, stored, name, opener)
            trial.owner(
                "DELETE FROM outbox; DELETE FROM outbox_event; DELETE FROM outbox_event_limit;"
                " DELETE FROM changes"
            )
            await assert_documented(promise, kind, partial(PROMISES[promise], trial))


async def test_tables_in_a_schema_of_their_own(empty_database: Database) -> None:
    migrate(empty_database.dsn, into="streams")
    names = [name for openers in KINDS.values() for name in openers]
    openers = [opener for openers in KINDS.values() for opener in openers.values()]
    for name, opener in zip(names, openers, strict=True):
        given = {"schema": "streams"} if name in PLAIN_SQL else {}
        async with opener(empty_database, Outbox(streaming=True, schema="streams")) as now:
            await now.emit(Message(name, {}), **given)
    with empty_database.connect() as connection:
        found = connection.execute("SELECT name FROM streams.outbox ORDER BY id").fetchall()
    assert [name for (name,) in found] == names
