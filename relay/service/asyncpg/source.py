from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from relay.service.writer import LOCK_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class PoolSource:
    """Takes a connection of the pool."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is a pool of asyncpg."""
        return isinstance(source, asyncpg.Pool)

    @asynccontextmanager
    async def begin(self, source: asyncpg.Pool) -> "AsyncIterator[asyncpg.Connection]":
        """Yield a connection in a transaction that commits at the end."""
        async with source.acquire() as connection, connection.transaction():
            await connection.execute(LOCK_TIMEOUT)
            yield connection


class ConnectionSource:
    """Uses a new connection, and closes it."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is a connection of asyncpg."""
        return isinstance(source, asyncpg.Connection)

    @asynccontextmanager
    async def begin(self, source: asyncpg.Connection) -> "AsyncIterator[asyncpg.Connection]":
        """Yield *source* in a transaction that commits at the end, then close it."""
        try:
            async with source.transaction():
                await source.execute(LOCK_TIMEOUT)
                yield source
        finally:
            await source.close()
