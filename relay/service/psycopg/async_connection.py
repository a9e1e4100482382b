from typing import Any

import psycopg
from psycopg.rows import tuple_row

from relay.service.psycopg.statements import STATEMENTS, require_transaction
from relay.service.records import Batch, Emitted, batch_of
from relay.service.refusals import quoting_no_row


class AsyncConnectionWriter:
    """Writes at once: emit after the change that locks the row it is about."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is an asynchronous connection of psycopg."""
        return isinstance(target, psycopg.AsyncConnection)

    async def write(self, target: psycopg.AsyncConnection[Any], emitted: Emitted) -> None:
        """Insert *emitted* in the open transaction of *target*."""
        await write(target, batch_of([emitted]))


async def write(connection: psycopg.AsyncConnection[Any], batch: Batch) -> None:
    """Insert *batch* in the open transaction of *connection*.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
        PayloadError: PostgreSQL refused a row.
        SchemaError: there is no outbox for this user.
    """
    require_transaction(connection)
    # A plain cursor, whatever the connection's own cursors make of placeholders and rows.
    with quoting_no_row(psycopg.Error):
        async with psycopg.AsyncCursor(connection, row_factory=tuple_row) as cursor:
            if lock := STATEMENTS.lock(batch):
                await cursor.execute(lock.query, lock.parameters)
            refused: list[str] = []
            if admission := STATEMENTS.admission(batch):
                await cursor.execute(admission.query, admission.parameters)
                refused = [row[0] for row in await cursor.fetchall()]
            for insert in STATEMENTS.inserts(batch, refused):
                await cursor.execute(insert.query, insert.parameters)
