"""asyncpg's own connections, against the real library and as a mere writer."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from relay import Message, Outbox
from relay.errors import NoTransactionError
from relay.service.rate_limits import RateLimits
from tests.support.models import HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import WRITER, Stored


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database.dsn, server_settings={"role": WRITER})
    yield opened
    await opened.close()


def event(cluster: uuid.UUID | None = None) -> HostStatusUpdated:
    return HostStatusUpdated(
        cluster_id=cluster or uuid.uuid4(), host_name="a", old="ready", new="failed"
    )


async def test_a_row_is_committed_with_the_transaction(
    connection: asyncpg.Connection, outbox: Outbox, stored: Stored
) -> None:
    async with connection.transaction():
        told = await outbox.emit_async(connection, event(), key="k", headers={"traceparent": "00"})
        assert stored.names() == []
    (row,) = stored.outbox()
    assert (row["event_id"], row["key"], row["headers"]) == (told, "k", {"traceparent": "00"})
    assert [row["message"] for row in stored.events()] == [
        "Host a: updated status from ready to failed"
    ]


async def phantom(connection: asyncpg.Connection, outbox: Outbox) -> None:
    async with connection.transaction():
        await outbox.emit_async(connection, Message("Phantom", {}))
        raise ZeroDivisionError


async def test_what_was_rolled_back_leaves_nothing(
    connection: asyncpg.Connection, outbox: Outbox, stored: Stored
) -> None:
    async with connection.transaction():
        await outbox.emit_async(connection, Message("Before", {}))
        with pytest.raises(ZeroDivisionError):
            await phantom(connection, outbox)
        await outbox.emit_async(connection, Message("After", {}))
    with pytest.raises(ZeroDivisionError):
        await phantom(connection, outbox)
    assert stored.names() == ["Before", "After"]


async def test_outside_a_transaction_it_is_refused(
    connection: asyncpg.Connection, outbox: Outbox, stored: Stored
) -> None:
    with pytest.raises(NoTransactionError, match=r"async with connection\.transaction\(\)"):
        await outbox.emit_async(connection, event())
    assert stored.names() == []


async def test_a_connection_of_a_pool_is_taken_too(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    async with (
        asyncpg.create_pool(database.dsn, min_size=1, max_size=1) as pool,
        pool.acquire() as lent,
        lent.transaction(),
    ):
        await outbox.emit_async(lent, Message("Plain", {"text": 'quoted "\\" ü', "none": None}))
    assert stored.payloads("Plain") == [{"text": 'quoted "\\" ü', "none": None}]


async def test_keys_are_locked_and_limits_are_kept(
    connection: asyncpg.Connection, database: Database, stored: Stored
) -> None:
    limits = RateLimits({"HostStatusUpdated": timedelta(hours=1)})
    outbox = Outbox(streaming=True, ordered=True, rate_limits=limits)
    cluster = uuid.uuid4()
    async with connection.transaction():
        for _ in range(2):
            await outbox.emit_async(connection, event(cluster))
        async with asyncpg.create_pool(database.dsn, min_size=1, max_size=1) as pool:
            held = (
                "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
                " WHERE d.datname = current_database() AND l.locktype = 'advisory'"
            )
            assert await pool.fetchval(held) == 1
    assert len(stored.events()) == len(stored.names()) == 1


async def test_a_synchronous_emit_says_what_to_use(
    connection: asyncpg.Connection, outbox: Outbox
) -> None:
    with pytest.raises(TypeError, match="emit_async"):
        outbox.emit(connection, Message("Plain", {}))
