from typing import Any

import psycopg
from psycopg.rows import tuple_row

from relay.service.psycopg.statements import STATEMENTS, require_transaction
from relay.service.records import Batch, Emitted, batch_of
from relay.service.refusals import quoting_no_row


class ConnectionWriter:
    """Writes at once: emit after the change that locks the row it is about."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is a connection of psycopg."""
        return isinstance(target, psycopg.Connection)

    def write(self, target: psycopg.Connection[Any], emitted: Emitted) -> None:
        """Insert *emitted* in the open transaction of *target*."""
        write(target, batch_of([emitted]))


def write(connection: psycopg.Connection[Any], batch: Batch) -> None:
    """Insert *batch* in the open transaction of *connection*.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
        PayloadError: PostgreSQL refused a row.
        SchemaError: there is no outbox for this user.
    """
    require_transaction(connection)
    # A plain cursor, whatever the connection's own cursors make of placeholders and rows.
    with quoting_no_row(psycopg.Error), psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
        if lock := STATEMENTS.lock(batch):
            cursor.execute(lock.query, lock.parameters)
        refused: list[str] = []
        if admission := STATEMENTS.admission(batch):
            cursor.execute(admission.query, admission.parameters)
            refused = [row[0] for row in cursor.fetchall()]
        for insert in STATEMENTS.inserts(batch, refused):
            cursor.execute(insert.query, insert.parameters)
