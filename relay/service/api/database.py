"""The API's connections to PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from relay.database import schema
from relay.database.connection import BoundedConnection
from relay.errors import SchemaError
from relay.settings import ApiSettings

# A request that finds every connection taken waits so long; a client tries again then.
POOL_SECONDS: Final = 5.0
CHECK_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 5
# Beyond the timeout of a statement, which the database itself notices.
_PATIENCE_SECONDS: Final = 5.0

_ONE_MOMENT: Final = b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; "
_SAVEPOINT: Final = b"; SAVEPOINT reading"
_BACK: Final = b"ROLLBACK TO SAVEPOINT reading"
_OURS: Final = """
SELECT id, event_id, name, category, severity, message, event_time, cluster_id, host_id,
       infra_env_id, request_id, props, subject_kind, subject_id
  FROM outbox_event
 LIMIT 0
"""

Connection = psycopg.Connection[Any]


def go_on_reading(connection: Connection) -> None:
    """Make *connection* usable again after a query that was cancelled, at the same moment."""
    if connection.info.transaction_status is TransactionStatus.INERROR:
        connection.execute(_BACK)


class Database:
    """A pool of connections that works behind PgBouncer's transaction mode, too."""

    def __init__(self, conninfo: str, settings: ApiSettings, schema: str | None = None) -> None:
        self._schema = schema
        self._patience_seconds = settings.statement_timeout_seconds + _PATIENCE_SECONDS
        milliseconds = round(settings.statement_timeout_seconds * 1000)
        self._limits = (
            f"SET LOCAL statement_timeout = {milliseconds};"
            f" SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
        ).encode()
        self._pool: ConnectionPool[BoundedConnection] = ConnectionPool(
            conninfo,
            connection_class=BoundedConnection,
            configure=self._configure,
            kwargs={
                "autocommit": True,
                "prepare_threshold": None,
                "application_name": "relay api",
                "connect_timeout": _CONNECT_SECONDS,
                "keepalives_idle": 5,
                "tcp_user_timeout": int(self._patience_seconds * 1000),
            },
            min_size=1,
            max_size=settings.connections,
            timeout=POOL_SECONDS,
            # Attempts become rare, and after five minutes of outage come minutes apart: whoever
            # asks next begins anew.
            reconnect_timeout=POOL_SECONDS,
            open=False,
            name="api",
        )

    def open(self) -> None:
        """Connect in the background; a database that is away is tried again and again."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection in a transaction whose statements all see the same events."""
        with self._transaction() as connection:
            connection.execute(_ONE_MOMENT + self._limits + _SAVEPOINT)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, which ends with the block."""
        with self._transaction() as connection:
            connection.execute(self._limits)
            yield connection

    def fault(self) -> str | None:
        """Return why the database cannot be used; None while it can."""
        try:
            with self._pool.connection(CHECK_SECONDS) as connection:
                schema.verify(connection)
                with connection.transaction():
                    connection.execute(_OURS)
        except SchemaError as error:
            return str(error)
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return "the table outbox_event is missing, or is not ours: run `relay migrate`"
        except psycopg.errors.InsufficientPrivilege:
            return "this database user may not read outbox_event: grant it the role outbox_api"
        except (PoolTimeout, psycopg.Error):
            return "the database does not answer"
        return None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._pool.connection() as connection, connection.transaction():
            yield connection

    def _configure(self, connection: BoundedConnection) -> None:
        connection.schema = self._schema
        connection.patience_seconds = self._patience_seconds
