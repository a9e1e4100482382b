"""PostgreSQL's refusals of what a service emits say what to do, and quote nothing of the row."""

import asyncio
from collections.abc import Callable

import asyncpg
import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.errors import PayloadError, RelayError, SchemaError
from tests.support.postgres import Database
from tests.support.service import url

SECRET = "a value of the customer"
MESSAGE = Message("Told", {"value": SECRET})

Write = Callable[[Outbox, Database], None]


def by_session(outbox: Outbox, database: Database) -> None:
    engine: Engine = create_engine(url(database))
    try:
        with Session(engine) as session, session.begin():
            outbox.emit(session, MESSAGE)
    finally:
        engine.dispose()


def by_connection(outbox: Outbox, database: Database) -> None:
    with psycopg.connect(database.dsn) as connection:
        outbox.emit(connection, MESSAGE)


def by_asyncpg(outbox: Outbox, database: Database) -> None:
    async def write() -> None:
        connection = await asyncpg.connect(database.dsn)
        try:
            async with connection.transaction():
                await outbox.emit_async(connection, MESSAGE)
        finally:
            await connection.close()

    asyncio.run(write())


def by_asynchronous_session(outbox: Outbox, database: Database) -> None:
    async def write() -> None:
        engine = create_async_engine(url(database).set(drivername="postgresql+asyncpg"))
        try:
            async with AsyncSession(engine) as session, session.begin():
                await outbox.emit_async(session, MESSAGE)
        finally:
            await engine.dispose()

    asyncio.run(write())


each_way = pytest.mark.parametrize(
    "write", [by_session, by_connection, by_asyncpg, by_asynchronous_session]
)


def refused(kind: type[RelayError], write: Write, outbox: Outbox, database: Database) -> str:
    with pytest.raises(kind) as error:
        write(outbox, database)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    return str(error.value)


@each_way
def test_without_tables_it_says_migrate(
    write: Write, service_outbox: Outbox, empty_database: Database
) -> None:
    told = refused(SchemaError, write, service_outbox, empty_database)
    assert 'relation "outbox" does not exist. Run `relay migrate`' in told


@each_way
def test_a_rule_of_the_table_is_named(
    write: Write, service_outbox: Outbox, database: Database
) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute("ALTER TABLE outbox ADD CONSTRAINT quiet CHECK (name <> 'Told')")
    assert "quiet" in refused(PayloadError, write, service_outbox, database)
