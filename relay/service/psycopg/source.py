import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from relay.service.writer import LOCK_TIMEOUT

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool


def _is_pool(source: object, name: str) -> bool:
    # Not every service has the pool.
    module = sys.modules.get("psycopg_pool")
    return module is not None and isinstance(source, getattr(module, name))


class PoolSource:
    """Takes a connection of the pool."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is a pool of psycopg."""
        return _is_pool(source, "ConnectionPool")

    @contextmanager
    def begin(self, source: "ConnectionPool[Any]") -> Iterator[psycopg.Connection[Any]]:
        """Yield a connection in a transaction that commits at the end."""
        with source.connection() as connection, connection.transaction():
            connection.execute(LOCK_TIMEOUT)
            yield connection


class ConnectionSource:
    """Uses a new connection, and closes it."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is a connection of psycopg."""
        return isinstance(source, psycopg.Connection)

    @contextmanager
    def begin(self, source: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
        """Yield *source* in a transaction that commits at the end, then close it."""
        with closing(source), source.transaction():
            source.execute(LOCK_TIMEOUT)
            yield source


class AsyncPoolSource:
    """Takes a connection of the asynchronous pool."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is an asynchronous pool of psycopg."""
        return _is_pool(source, "AsyncConnectionPool")

    @asynccontextmanager
    async def begin(
        self, source: "AsyncConnectionPool[Any]"
    ) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Yield a connection in a transaction that commits at the end."""
        async with source.connection() as connection, connection.transaction():
            await connection.execute(LOCK_TIMEOUT)
            yield connection


class AsyncConnectionSource:
    """Uses a new asynchronous connection, and closes it."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is an asynchronous connection of psycopg."""
        return isinstance(source, psycopg.AsyncConnection)

    @asynccontextmanager
    async def begin(
        self, source: psycopg.AsyncConnection[Any]
    ) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Yield *source* in a transaction that commits at the end, then close it."""
        try:
            async with source.transaction():
                await source.execute(LOCK_TIMEOUT)
                yield source
        finally:
            await source.close()
