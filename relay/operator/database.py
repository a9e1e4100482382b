from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from relay.daemon.connection import connect, explain
from relay.errors import DatabaseUnavailableError

# Classes of SQLSTATE: connection exception, and the server shutting down.
LOST = ("08", "57P")
PATIENCE_SECONDS = 15.0

Connection = psycopg.Connection[Any]


@contextmanager
def connected(
    conninfo: str, application_name: str, patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[Connection]:
    """Yield a connection in autocommit mode, closed afterwards.

    Raises:
        DatabaseUnavailableError: there is no connection, it broke, or a statement got no answer
            for *patience_seconds*.
    """
    try:
        with connect(conninfo, application_name, patience_seconds) as connection:
            yield connection
    except DatabaseUnavailableError as error:
        raise _unavailable(str(error)) from None
    except psycopg.OperationalError as error:
        # A timeout of a lock or a statement is one too, and the caller's business.
        if error.sqlstate and not error.sqlstate.startswith(LOST):
            raise
        raise _unavailable(explain(error)) from None


def _unavailable(reason: str) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"PostgreSQL cannot be used: {reason.rstrip('.')}. Check DATABASE_URL, or DB_HOST, "
        "DB_PORT, DB_USER, DB_PASS and DB_NAME, and that the server runs and lets this user in."
    )
