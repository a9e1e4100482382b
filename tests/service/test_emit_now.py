"""An error event outlives the transaction that failed: it is committed in one of its own."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.errors import PayloadError
from relay.service.rate_limits import RateLimits
from tests.support.models import HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import WRITER, Stored, url

OPTIONS = f"-c role={WRITER}"


def event() -> HostStatusUpdated:
    return HostStatusUpdated(cluster_id=uuid.uuid4(), host_name="a", old="ready", new="failed")


@contextmanager
def engine(database: Database) -> Iterator[object]:
    made = create_engine(url(database), connect_args={"options": OPTIONS})
    yield made
    made.dispose()


@contextmanager
def autocommit_engine(database: Database) -> Iterator[object]:
    made = create_engine(
        url(database), connect_args={"options": OPTIONS}, isolation_level="AUTOCOMMIT"
    )
    yield made
    made.dispose()


@contextmanager
def pool(database: Database) -> Iterator[object]:
    with ConnectionPool(database.dsn, min_size=1, kwargs={"options": OPTIONS}) as made:
        yield made


@contextmanager
def connecting(database: Database) -> Iterator[object]:
    made = []

    def connect() -> psycopg.Connection[Any]:
        made.append(psycopg.connect(database.dsn, options=OPTIONS))
        return made[-1]

    yield connect
    assert [connection.closed for connection in made] == [True, True]


@contextmanager
def connecting_in_autocommit(database: Database) -> Iterator[object]:
    yield lambda: psycopg.connect(database.dsn, options=OPTIONS, autocommit=True)


@pytest.mark.parametrize(
    "source", [engine, autocommit_engine, pool, connecting, connecting_in_autocommit]
)
def test_it_is_there_at_once_whatever_becomes_of_the_callers_transaction(
    database: Database, outbox: Outbox, stored: Stored, source: Callable[[Database], Any]
) -> None:
    with source(database) as found:
        with psycopg.connect(database.dsn) as failed:
            outbox.emit(failed, Message("Vanishes", {}))
            told = outbox.emit_now(found, event(), key="k")
            (row,) = stored.outbox()
            failed.rollback()
        assert (row["event_id"], row["key"]) == (told, "k")
        assert [row["event_id"] for row in stored.events()] == [told]
        # And again: a connection that goes back to its pool has nothing open.
        outbox.emit_now(found, Message("Plain", {}))
    assert stored.names() == ["HostStatusUpdated", "Plain"]


@asynccontextmanager
async def async_engine(database: Database) -> AsyncIterator[object]:
    made = create_async_engine(url(database), connect_args={"options": OPTIONS})
    yield made
    await made.dispose()


@asynccontextmanager
async def async_pool(database: Database) -> AsyncIterator[object]:
    async with AsyncConnectionPool(
        database.dsn, min_size=1, kwargs={"options": OPTIONS}, open=False
    ) as made:
        yield made


@asynccontextmanager
async def async_connecting(database: Database) -> AsyncIterator[object]:
    def connect() -> Awaitable[psycopg.AsyncConnection[Any]]:
        return psycopg.AsyncConnection.connect(database.dsn, options=OPTIONS)

    yield connect


@asynccontextmanager
async def asyncpg_pool(database: Database) -> AsyncIterator[object]:
    async with asyncpg.create_pool(
        database.dsn, min_size=1, max_size=2, server_settings={"role": WRITER}
    ) as made:
        yield made


@asynccontextmanager
async def asyncpg_connecting(database: Database) -> AsyncIterator[object]:
    yield lambda: asyncpg.connect(database.dsn, server_settings={"role": WRITER})


@pytest.mark.parametrize(
    "source", [async_engine, async_pool, async_connecting, asyncpg_pool, asyncpg_connecting]
)
async def test_asynchronous_sources_do_the_same(
    database: Database,
    outbox: Outbox,
    stored: Stored,
    source: Callable[[Database], AbstractAsyncContextManager[object]],
) -> None:
    async with source(database) as found:
        told = await outbox.emit_now_async(found, event())
        assert [row["event_id"] for row in stored.outbox()] == [told]
        assert [row["event_id"] for row in stored.events()] == [told]


def test_what_has_a_transaction_already_is_refused(database: Database, outbox: Outbox) -> None:
    with closing(psycopg.connect(database.dsn)) as connection, pytest.raises(TypeError) as refused:
        outbox.emit_now(connection, event())
    assert "a transaction of its own; emit() writes in that of the caller" in str(refused.value)
    with pytest.raises(TypeError, match="takes an engine or a pool, not Session"):
        outbox.emit_now(Session(), event())


@pytest.mark.parametrize("source", [None, "postgresql://", object(), lambda: 1])
async def test_what_cannot_begin_a_transaction_is_refused(outbox: Outbox, source: object) -> None:
    with pytest.raises(TypeError, match="emit_now\\(\\) takes an engine, a pool or a function"):
        outbox.emit_now(source, event())
    with pytest.raises(TypeError, match="emit_now_async\\(\\) takes an asynchronous engine"):
        await outbox.emit_now_async(source, event())


def test_nothing_is_left_of_an_event_that_cannot_be_stored(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    with engine(database) as found, pytest.raises(PayloadError):
        outbox.emit_now(found, Message("Bad", {"at": float("nan")}))
    assert stored.names() == []


@pytest.mark.early
def test_a_lock_of_the_callers_own_transaction_is_no_deadlock(database: Database) -> None:
    limited = Outbox(
        streaming=True,
        rate_limits=RateLimits({"HostStatusUpdated": timedelta(hours=1)}),
    )
    told = event()
    with engine(database) as found, psycopg.connect(database.dsn) as connection:
        limited.emit(connection, told)
        with pytest.raises(OperationalError, match="lock timeout"):
            limited.emit_now(found, told)
