from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from relay.database import queries
from relay.database.connection import connect, explain
from relay.errors import DatabaseUnavailableError, RelayError, SchemaError

# Classes of SQLSTATE: connection exception, and the server shutting down.
LOST = ("08", "57P")
PATIENCE_SECONDS = 15.0
STATEMENT_TIMEOUT_MS = 5_000

Connection = psycopg.Connection[Any]


@contextmanager
def connected(
    conninfo: str,
    application_name: str,
    patience_seconds: float = PATIENCE_SECONDS,
    *,
    schema: str | None = None,
) -> Iterator[Connection]:
    """Yield a connection in autocommit mode, closed afterwards.

    *schema*: where the outbox tables are, unless that is to be found out.

    Raises:
        DatabaseUnavailableError: there is no connection, it broke, or a statement got no answer
            for *patience_seconds*.
    """
    try:
        with connect(conninfo, application_name, patience_seconds, schema=schema) as connection:
            yield connection
    except DatabaseUnavailableError as error:
        raise _unavailable(str(error)) from None
    except psycopg.OperationalError as error:
        # A timeout of a lock or a statement is one too, and the caller's business.
        if error.sqlstate and not error.sqlstate.startswith(LOST):
            raise
        raise _unavailable(explain(error)) from None


@contextmanager
def bounded(
    connection: Connection, milliseconds: int = STATEMENT_TIMEOUT_MS
) -> Iterator[Connection]:
    """Yield *connection* within a transaction, each statement of which may take *milliseconds*."""
    with connection.transaction():
        connection.execute(queries.STATEMENT_TIMEOUT, {"milliseconds": str(milliseconds)})
        yield connection


@contextmanager
def needing(role: str) -> Iterator[None]:
    """Do what takes the rights of *role*.

    Raises:
        SchemaError: the database user does not have them.
    """
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaError(
            f"This database user may not do that ({error.diag.message_primary}): grant it the "
            f"role {role}."
        ) from None


@contextmanager
def explained() -> Iterator[None]:
    """Do what may meet an error of PostgreSQL that nothing else handles.

    Raises:
        RelayError: in its place, without its details, which may quote a row.
    """
    try:
        yield
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise RelayError(f"PostgreSQL refused a statement: {said}") from None


def _unavailable(reason: str) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"PostgreSQL cannot be used: {reason.rstrip('.')}. Check DATABASE_URL, or DB_HOST, "
        "DB_PORT, DB_USER, DB_PASS and DB_NAME, and that the server runs and lets this user in."
    )
