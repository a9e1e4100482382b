"""Targets that an emit refuses: those without a transaction, and those of another kind."""

import asyncio

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker

from relay import Message, Outbox
from relay.errors import NoTransactionError
from tests.service.transactions import async_engine
from tests.support.postgres import Database
from tests.support.service import Stored


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


async def test_the_session_of_each_task(database: Database, outbox: Outbox, stored: Stored) -> None:
    async with async_engine(database, "psycopg") as engine:
        current = async_scoped_session(async_sessionmaker(engine), asyncio.current_task)
        await outbox.emit_async(current, Message("Awaited", {}))
        outbox.emit(current, Message("NotAwaited", {}))
        await current.commit()
        outbox.emit(current, Message("RolledBack", {}))
        await current.remove()
    assert stored.names() == ["Awaited", "NotAwaited"]
