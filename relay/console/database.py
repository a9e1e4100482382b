"""The console's connections to PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg import Error, OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout

from relay.database.connection import CONNECT_SECONDS, BoundedConnection, explain
from relay.database.session import LOST
from relay.errors import DatabaseUnavailableError, RelayError
from relay.settings import ConsoleSettings, DatabaseSettings

# A person waits so long for a connection, and for an answer.
AGAIN: Final = "This page comes back by itself when it can."
POOL_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 15.0
# Waits for the leases under way, one after the other.
PATIENCE_OF_CHANGE_SECONDS: Final = 120.0


class Database:
    """A pool of connections that works behind PgBouncer's transaction mode, too."""

    def __init__(self, where: DatabaseSettings, settings: ConsoleSettings) -> None:
        self._schema = where.outbox_schema
        self._address = where.address()
        self._pool: ConnectionPool[BoundedConnection] = ConnectionPool(
            where.conninfo(),
            connection_class=BoundedConnection,
            configure=self._configure,
            kwargs={
                "autocommit": True,
                "prepare_threshold": None,
                "client_encoding": "utf8",
                "application_name": "relay console",
                "connect_timeout": CONNECT_SECONDS,
                "keepalives_idle": 5,
                "tcp_user_timeout": int(PATIENCE_SECONDS * 1000),
            },
            min_size=1,
            max_size=settings.connections,
            timeout=POOL_SECONDS,
            # Attempts become rare, and after five minutes of outage come minutes apart: whoever
            # asks next begins anew.
            reconnect_timeout=POOL_SECONDS,
            open=False,
            name="console",
        )

    def open(self) -> None:
        """Connect in the background; a database that is away is tried again and again."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def connection(self, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[BoundedConnection]:
        """Yield a connection in autocommit mode.

        Raises:
            DatabaseUnavailableError: there is none, or it broke.
            RelayError: PostgreSQL refused a statement for a reason that nobody handled.
        """
        try:
            with self._pool.connection() as connection:
                connection.patience_seconds = patience_seconds
                yield connection
        except PoolTimeout:
            raise self._away("it does not answer") from None
        except Error as error:
            lost = not error.sqlstate or error.sqlstate.startswith(LOST)
            if isinstance(error, OperationalError) and lost:
                raise self._away(explain(error)) from None
            said = error.diag.message_primary or type(error).__name__
            raise RelayError(f"PostgreSQL refused a statement: {said}.") from None

    def _away(self, reason: str) -> DatabaseUnavailableError:
        return DatabaseUnavailableError(
            f"PostgreSQL at {self._address} cannot be used: {reason.rstrip('.')}. {AGAIN}"
        )

    def _configure(self, connection: BoundedConnection) -> None:
        connection.schema = self._schema
