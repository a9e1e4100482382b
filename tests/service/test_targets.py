"""Wherever a row is emitted, it shares the fate of the caller's transaction."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from relay import Event, Message, Outbox
from relay.errors import NoTransactionError
from tests.support.models import HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import VERSIONS, WRITER, Stored, url

Emit = Callable[[Event | Message], Awaitable[uuid.UUID]]
# Each opens a transaction, lends the means to emit in it, and commits, or rolls back on an error.
Opener = Callable[[Database, Outbox], AbstractAsyncContextManager[Emit]]

OPTIONS = f"-c role={WRITER}"


@contextmanager
def writer_engine(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database), connect_args={"options": OPTIONS})
    try:
        yield engine
    finally:
        engine.dispose()


@asynccontextmanager
async def async_engine(database: Database, driver: str) -> AsyncIterator[AsyncEngine]:
    role = {"server_settings": {"role": WRITER}} if driver == "asyncpg" else {"options": OPTIONS}
    engine = create_async_engine(url(database, driver), connect_args=role)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def session(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
    with writer_engine(database) as engine, Session(engine) as opened, opened.begin():

        async def emit(item: Event | Message) -> uuid.UUID:
            return outbox.emit(opened, item)

        yield emit


@asynccontextmanager
async def thread_session(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
    with writer_engine(database) as engine:
        current = scoped_session(sessionmaker(engine))
        with closing(current), current.begin():

            async def emit(item: Event | Message) -> uuid.UUID:
                return outbox.emit(current, item)

            yield emit


@asynccontextmanager
async def connection(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
    with writer_engine(database) as engine, engine.begin() as opened:

        async def emit(item: Event | Message) -> uuid.UUID:
            return outbox.emit(opened, item)

        yield emit


@asynccontextmanager
async def psycopg_connection(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
    with psycopg.connect(database.dsn, options=OPTIONS) as opened:

        async def emit(item: Event | Message) -> uuid.UUID:
            return outbox.emit(opened, item)

        yield emit


@asynccontextmanager
async def psycopg_block(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
    with (
        psycopg.connect(
            database.dsn, options=OPTIONS, autocommit=True, cursor_factory=psycopg.RawCursor
        ) as opened,
        opened.transaction(),
    ):

        async def emit(item: Event | Message) -> uuid.UUID:
            return outbox.emit(opened, item)

        yield emit


@asynccontextmanager
async def psycopg_async(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
    async with await psycopg.AsyncConnection.connect(database.dsn, options=OPTIONS) as opened:

        async def emit(item: Event | Message) -> uuid.UUID:
            return await outbox.emit_async(opened, item)

        yield emit


def async_session(driver: str, *, awaited: bool) -> Opener:
    @asynccontextmanager
    async def opener(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
        async with (
            async_engine(database, driver) as engine,
            AsyncSession(engine) as opened,
            opened.begin(),
        ):

            async def emit(item: Event | Message) -> uuid.UUID:
                if awaited:
                    return await outbox.emit_async(opened, item)
                return outbox.emit(opened, item)

            yield emit

    return opener


def async_connection(driver: str) -> Opener:
    @asynccontextmanager
    async def opener(database: Database, outbox: Outbox) -> AsyncIterator[Emit]:
        async with async_engine(database, driver) as engine, engine.begin() as opened:

            async def emit(item: Event | Message) -> uuid.UUID:
                return await outbox.emit_async(opened, item)

            yield emit

    return opener


OPENERS: dict[str, Opener] = {
    "session": session,
    "scoped_session": thread_session,
    "connection": connection,
    "psycopg": psycopg_connection,
    "psycopg_block": psycopg_block,
    "psycopg_async": psycopg_async,
    "async_session-asyncpg": async_session("asyncpg", awaited=False),
    "async_session-psycopg": async_session("psycopg", awaited=True),
    "async_connection-asyncpg": async_connection("asyncpg"),
    "async_connection-psycopg": async_connection("psycopg"),
}

every_target = pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)


def status_updated(cluster: uuid.UUID) -> HostStatusUpdated:
    return HostStatusUpdated(cluster_id=cluster, host_name="h1", old="known", new="installing")


@every_target
async def test_committed_rows_are_there(
    opener: Opener, database: Database, outbox: Outbox, stored: Stored
) -> None:
    cluster = uuid.uuid4()
    headers = {"traceparent": "00-a-b-01"}
    async with opener(database, outbox) as emit:
        plain = await emit(Message("Plain", {"n": 1}, key="k", topic="other", headers=headers))
        event = await emit(status_updated(cluster))

    first, second = stored.outbox()
    assert first["event_id"] == plain
    assert (first["name"], first["payload"], first["key"]) == ("Plain", {"n": 1}, "k")
    assert (first["topic"], first["headers"]) == ("other", headers)
    assert first["metadata"] == second["metadata"] == {"versions": VERSIONS}
    assert (second["event_id"], second["key"]) == (event, str(cluster))
    assert (second["topic"], second["headers"]) == (None, None)
    assert [row["event_id"] for row in stored.events()] == [event]


@every_target
async def test_rolled_back_rows_are_not_there(
    opener: Opener, database: Database, outbox: Outbox, stored: Stored
) -> None:
    async def transaction() -> None:
        async with opener(database, outbox) as emit:
            await emit(Message("Phantom", {}))
            await emit(status_updated(uuid.uuid4()))
            raise LookupError

    with pytest.raises(LookupError):
        await transaction()
    assert stored.outbox() == stored.events() == []


@every_target
async def test_while_streaming_is_off_events_are_stored_and_nothing_is_streamed(
    opener: Opener, database: Database, make_outbox: Callable[..., Outbox], stored: Stored
) -> None:
    async with opener(database, make_outbox(streaming=False)) as emit:
        await emit(Message("Plain", {}))
        event = await emit(status_updated(uuid.uuid4()))
    assert stored.outbox() == []
    assert [row["event_id"] for row in stored.events()] == [event]


def test_plain_sql_writes_through_the_function(database: Database, stored: Stored) -> None:
    with psycopg.connect(database.dsn, options=OPTIONS) as connection:
        connection.execute("SELECT outbox_emit('Plain', '{\"n\": 1}', key => 'k')")
    (row,) = stored.outbox()
    assert (row["name"], row["payload"], row["key"], row["metadata"]) == (
        "Plain",
        {"n": 1},
        "k",
        None,
    )


def test_psycopg_in_autocommit_is_refused(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    with (
        psycopg.connect(database.dsn, autocommit=True) as connection,
        pytest.raises(NoTransactionError, match=r"conn\.transaction\(\)"),
    ):
        outbox.emit(connection, Message("Plain", {}))
    assert stored.outbox() == []


def test_psycopg_pipeline_is_a_transaction_too(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    with (
        psycopg.connect(database.dsn, autocommit=True) as connection,
        connection.pipeline(),
        connection.transaction(),
    ):
        outbox.emit(connection, Message("Plain", {}))
    assert stored.names() == ["Plain"]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_sqlalchemy_in_autocommit_is_refused(
    driver: str, database: Database, outbox: Outbox, stored: Stored
) -> None:
    async with async_engine(database, driver) as transactional:
        engine = transactional.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            with pytest.raises(NoTransactionError, match="autocommit"):
                await outbox.emit_async(connection, Message("Plain", {}))
        async with AsyncSession(engine) as opened:
            with pytest.raises(NoTransactionError, match="autocommit"):
                outbox.emit(opened, Message("Plain", {}))
    assert stored.outbox() == []


async def test_the_wrong_kind_of_target_is_named(database: Database, outbox: Outbox) -> None:
    async with async_engine(database, "psycopg") as engine, engine.connect() as connection:
        with pytest.raises(TypeError, match=r"AsyncConnection; .*emit_async"):
            outbox.emit(connection, Message("Plain", {}))  # type: ignore[arg-type]
    with (
        psycopg.connect(database.dsn) as sync_connection,
        pytest.raises(TypeError, match=r"not Connection; use emit\(\)"),
    ):
        await outbox.emit_async(sync_connection, Message("Plain", {}))  # type: ignore[arg-type]
