from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from relay.errors import NoTransactionError
from relay.service.insert import Statements
from relay.service.records import Batch, Emitted, batch_of
from relay.service.refusals import quoting_no_row

STATEMENTS: Final = Statements(lambda _, number: f"${number}", str)
"""The statements of a batch in asyncpg's form."""


class ConnectionWriter:
    """Writes at once: emit after the change that locks the row it is about."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is a connection of asyncpg, its own or a pool's."""
        return isinstance(target, asyncpg.Connection | PoolConnectionProxy)

    async def write(self, target: asyncpg.Connection, emitted: Emitted) -> None:
        """Insert *emitted* in the open transaction of *target*."""
        await write(target, batch_of([emitted]))


async def write(connection: asyncpg.Connection, batch: Batch) -> None:
    """Insert *batch* in the open transaction of *connection*.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
        PayloadError: PostgreSQL refused a row.
        SchemaError: there is no outbox for this user.
    """
    if not connection.is_in_transaction():
        raise NoTransactionError(
            "This connection is outside a transaction, so the rows could not belong to the "
            "transaction of your change: emit inside `async with connection.transaction():`."
        )
    with quoting_no_row(asyncpg.PostgresError):
        if lock := STATEMENTS.lock(batch):
            await connection.execute(lock.query, *lock.parameters.values())
        refused: list[str] = []
        if admission := STATEMENTS.admission(batch):
            rows = await connection.fetch(admission.query, *admission.parameters.values())
            refused = [row[0] for row in rows]
        for insert in STATEMENTS.inserts(batch, refused):
            await connection.execute(insert.query, *insert.parameters.values())
