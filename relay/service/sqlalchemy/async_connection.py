import sys
from typing import TYPE_CHECKING

from relay.service.records import Emitted, batch_of
from relay.service.sqlalchemy.connection import write

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


class AsyncConnectionWriter:
    """Writes at once: emit after the change that locks the row it is about."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is an asynchronous connection of SQLAlchemy."""
        # Importing it needs greenlet, which not every service has.
        module = sys.modules.get("sqlalchemy.ext.asyncio")
        return module is not None and isinstance(target, module.AsyncConnection)

    async def write(self, target: "AsyncConnection", emitted: Emitted) -> None:
        """Insert *emitted* in the open transaction of *target*."""
        await target.run_sync(write, batch_of([emitted]))
