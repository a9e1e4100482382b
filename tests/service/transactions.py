"""One open transaction of each kind of writer, as a mere writer of the outbox."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
)
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import psycopg
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from relay import Event, Message, Outbox
from tests.service.django.in_process import django_connection
from tests.support.postgres import Database
from tests.support.service import WRITER, url

Savepoint: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]
OPTIONS = f"-c role={WRITER}"


@dataclass(frozen=True)
class Transaction:
    """An open transaction: emit in it, change a row of the service, set a savepoint."""

    emit: Callable[..., Awaitable[object]]
    execute: Callable[[str], Awaitable[object]]
    savepoint: Savepoint


Opener: TypeAlias = Callable[[Database, Outbox], AbstractAsyncContextManager[Transaction]]
"""Opens a transaction, and commits it, or rolls back on an error."""


def synchronous(
    outbox: Outbox,
    target: Any,  # noqa: ANN401 - of any kind
    execute: Callable[[str], object],
    savepoint: Callable[[], Any],
) -> Transaction:
    async def emit(item: Event | Message, **given: Any) -> object:  # noqa: ANN401
        return outbox.emit(target, item, **given)

    async def executed(statement: str) -> object:
        return execute(statement)

    return Transaction(emit, executed, lambda: saved_by(savepoint))


@asynccontextmanager
async def saved_by(savepoint: Callable[[], Any]) -> AsyncIterator[None]:
    """Let a synchronous *savepoint* be entered like an asynchronous one."""
    with savepoint():
        yield


def asynchronous(
    outbox: Outbox,
    target: Any,  # noqa: ANN401 - of any kind
    execute: Callable[[str], Awaitable[object]],
    savepoint: Savepoint,
) -> Transaction:
    async def emit(item: Event | Message, **given: Any) -> object:  # noqa: ANN401
        return await outbox.emit_async(target, item, **given)

    return Transaction(emit, execute, savepoint)


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
async def session(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    with writer_engine(database) as engine, Session(engine) as opened, opened.begin():
        yield synchronous(
            outbox, opened, lambda sql: opened.execute(text(sql)), opened.begin_nested
        )


@asynccontextmanager
async def thread_session(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    with writer_engine(database) as engine:
        current = scoped_session(sessionmaker(engine))
        with closing(current), current.begin():
            yield synchronous(
                outbox, current, lambda sql: current.execute(text(sql)), current.begin_nested
            )


def async_session(driver: str, *, awaited: bool) -> Opener:
    @asynccontextmanager
    async def opener(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
        async with (
            async_engine(database, driver) as engine,
            AsyncSession(engine) as opened,
            opened.begin(),
        ):
            found = asynchronous(
                outbox, opened, lambda sql: opened.execute(text(sql)), opened.begin_nested
            )
            if awaited:
                yield found
                return

            async def emit(item: Event | Message, **given: Any) -> object:  # noqa: ANN401
                return outbox.emit(opened, item, **given)

            yield Transaction(emit, found.execute, found.savepoint)

    return opener


@asynccontextmanager
async def connection(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    with writer_engine(database) as engine, engine.begin() as opened:
        yield synchronous(outbox, opened, opened.exec_driver_sql, opened.begin_nested)


def async_connection(driver: str) -> Opener:
    @asynccontextmanager
    async def opener(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
        async with async_engine(database, driver) as engine, engine.begin() as opened:
            yield asynchronous(outbox, opened, opened.exec_driver_sql, opened.begin_nested)

    return opener


@asynccontextmanager
async def psycopg_connection(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    with psycopg.connect(database.dsn, options=OPTIONS) as opened:
        yield synchronous(
            outbox, opened, lambda sql: opened.execute(sql.encode()), opened.transaction
        )


@asynccontextmanager
async def psycopg_block(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    with (
        psycopg.connect(
            database.dsn, options=OPTIONS, autocommit=True, cursor_factory=psycopg.RawCursor
        ) as opened,
        opened.transaction(),
    ):
        yield synchronous(
            outbox, opened, lambda sql: opened.execute(sql.encode()), opened.transaction
        )


@asynccontextmanager
async def psycopg_async(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    async with await psycopg.AsyncConnection.connect(database.dsn, options=OPTIONS) as opened:
        yield asynchronous(
            outbox, opened, lambda sql: opened.execute(sql.encode()), opened.transaction
        )


@asynccontextmanager
async def asyncpg_connection(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    opened = await asyncpg.connect(database.dsn, server_settings={"role": WRITER})
    try:
        async with opened.transaction():
            yield asynchronous(outbox, opened, opened.execute, opened.transaction)
    finally:
        await opened.close()


@asynccontextmanager
async def django(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
    with django_connection(database) as opened:
        from django.db import transaction  # noqa: PLC0415 - it needs settings

        def execute(statement: str) -> None:
            with opened.cursor() as cursor:
                cursor.execute(statement)

        with transaction.atomic(using=opened.alias):
            yield synchronous(
                outbox, opened, execute, lambda: transaction.atomic(using=opened.alias)
            )


def plain_sql(statement: str) -> Opener:
    """Return the opener for a program that knows nothing but SQL; it takes messages alone."""

    @asynccontextmanager
    async def opener(database: Database, outbox: Outbox) -> AsyncIterator[Transaction]:
        del outbox
        with psycopg.connect(database.dsn, options=OPTIONS) as opened:

            async def emit(item: Message, *, schema: str = "public", **given: Any) -> object:  # noqa: ANN401
                headers = given.get("headers", item.headers)
                parameters = {
                    "name": item.name,
                    "payload": json.dumps(item.payload),
                    "key": given.get("key", item.key),
                    "topic": given.get("topic", item.topic),
                    "headers": json.dumps(headers) if headers else None,
                    "event_id": item.event_id,
                }
                opened.execute(statement.format(schema).encode(), parameters)
                return item.event_id

            yield Transaction(
                emit,
                lambda sql: _done(opened.execute(sql.encode())),
                lambda: saved_by(opened.transaction),
            )

    return opener


async def _done(result: object) -> object:
    return result


EMIT = (
    "SELECT {}.outbox_emit(name => %(name)s, payload => %(payload)s, key => %(key)s,"
    " topic => %(topic)s, headers => %(headers)s, event_id => %(event_id)s)"
)
INSERT = (
    "INSERT INTO {}.outbox (name, payload, key, topic, headers, event_id)"
    " VALUES (%(name)s, %(payload)s, %(key)s, %(topic)s, %(headers)s, %(event_id)s)"
)

KINDS: dict[str, dict[str, Opener]] = {
    "session": {
        "session": session,
        "scoped_session": thread_session,
        "async_session-asyncpg": async_session("asyncpg", awaited=False),
        "async_session-psycopg": async_session("psycopg", awaited=True),
    },
    "SQLAlchemy connection": {
        "connection": connection,
        "async_connection-asyncpg": async_connection("asyncpg"),
        "async_connection-psycopg": async_connection("psycopg"),
    },
    "psycopg": {
        "psycopg": psycopg_connection,
        "psycopg_block": psycopg_block,
        "psycopg_async": psycopg_async,
    },
    "asyncpg": {"asyncpg": asyncpg_connection},
    "Django": {"django": django},
    "`outbox_emit`": {"outbox_emit": plain_sql(EMIT)},
    "INSERT": {"insert": plain_sql(INSERT)},
}
"""Kinds of writers as docs/writers.md has them, and the openers of each."""
