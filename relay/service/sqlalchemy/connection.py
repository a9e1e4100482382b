from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from relay.errors import NoTransactionError, SchemaError
from relay.service.capture import capture, capturing
from relay.service.insert import Statements
from relay.service.records import Batch, Emitted, batch_of
from relay.service.refusals import quoting_no_row

AUTOCOMMIT: Final = (
    "This connection is in autocommit mode, so the rows could not belong to the transaction of "
    "your change: use an engine or a connection without isolation_level='AUTOCOMMIT'."
)

STATEMENTS: Final = Statements(lambda name, _: f":{name}", text)
"""The statements of a batch in SQLAlchemy's form."""


class ConnectionWriter:
    """Writes at once: emit after the change that locks the row it is about."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is a connection of SQLAlchemy."""
        return isinstance(target, Connection)

    def write(self, target: Connection, emitted: Emitted) -> None:
        """Insert *emitted* in the open transaction of *target*."""
        write(target, batch_of([emitted]))


def write(connection: Connection, batch: Batch) -> None:
    """Insert *batch* in the open transaction of *connection*.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
        PayloadError: PostgreSQL refused a row.
        SchemaError: the database is no PostgreSQL, or has no outbox for this user.
    """
    if connection.dialect.name != "postgresql":
        _capture_instead(connection, batch)
        return
    require_transaction(connection)
    with quoting_no_row(DBAPIError), _hiding_parameters():
        if lock := STATEMENTS.lock(batch):
            connection.execute(lock.query, lock.parameters)
        refused: list[str] = []
        if admission := STATEMENTS.admission(batch):
            refused = list(connection.execute(admission.query, admission.parameters).scalars())
        for insert in STATEMENTS.inserts(batch, refused):
            connection.execute(insert.query, insert.parameters)


@contextmanager
def _hiding_parameters() -> Iterator[None]:
    """Keep the values of a row out of an error's text."""
    try:
        yield
    except DBAPIError as error:
        error.hide_parameters = True
        raise


def require_transaction(connection: Connection) -> None:
    """Make sure that what is sent through *connection* belongs to a transaction.

    Raises:
        NoTransactionError: the connection commits each statement by itself.
    """
    # sqlite3 calls its own way of beginning transactions by that name.
    if connection.dialect.name != "postgresql":
        return
    dbapi_connection: Any = connection.connection.dbapi_connection
    if dbapi_connection.autocommit:
        raise NoTransactionError(AUTOCOMMIT)


def _capture_instead(connection: Connection, batch: Batch) -> None:
    """Let a test see *batch* that cannot be written."""
    if not capturing():
        raise SchemaError(
            f"This session or connection is one of {connection.dialect.name}, and the outbox needs "
            "PostgreSQL. In a test, `with outbox.captured():` takes what is emitted."
        )
    capture(batch.outbox)
