import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine

from relay.service.writer import LOCK_TIMEOUT

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Said explicitly: an engine may be in autocommit mode.
_LEVEL: Final = "READ COMMITTED"


class EngineSource:
    """Takes a connection of the engine."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is an engine of SQLAlchemy."""
        return isinstance(source, Engine)

    @contextmanager
    def begin(self, source: Engine) -> Iterator[Connection]:
        """Yield a connection in a transaction that commits at the end."""
        with source.execution_options(isolation_level=_LEVEL).begin() as connection:
            connection.exec_driver_sql(LOCK_TIMEOUT)
            yield connection


class AsyncEngineSource:
    """Takes a connection of the asynchronous engine."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is an asynchronous engine of SQLAlchemy."""
        # Importing it needs greenlet, which not every service has.
        module = sys.modules.get("sqlalchemy.ext.asyncio")
        return module is not None and isinstance(source, module.AsyncEngine)

    @asynccontextmanager
    async def begin(self, source: "AsyncEngine") -> AsyncIterator["AsyncConnection"]:
        """Yield a connection in a transaction that commits at the end."""
        async with source.execution_options(isolation_level=_LEVEL).begin() as connection:
            await connection.exec_driver_sql(LOCK_TIMEOUT)
            yield connection
