"""Session: the one connection of a worker or of the sampler."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.pipeline_cursor import PunctuatedCursor
from relay.database.connection import BoundedConnection, connect


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Settings of a session. The timeout is PostgreSQL's, the patience is our own."""

    conninfo: str
    name: str
    timeout_seconds: float
    patience_seconds: float
    schema: str | None = None


class Session:
    """A connection that may be lost, and its transactions."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._connection: BoundedConnection | None = None

    @property
    def connected(self) -> bool:
        """True while there is a connection that the server has not ended, as it may an idle one."""
        if self._connection is None or self._connection.closed:
            return False
        return _open_at_the_other_end(self._connection)

    @property
    def connection(self) -> BoundedConnection:
        """The connection.

        Raises:
            psycopg.OperationalError: there is none.
        """
        if self._connection is None:
            raise psycopg.OperationalError("not connected")
        return self._connection

    def connect(self) -> None:
        """Connect anew.

        Raises:
            DatabaseUnavailableError: the reason.
        """
        self.close()
        s = self._settings
        self._connection = connect(
            s.conninfo, s.name, s.patience_seconds, PunctuatedCursor, schema=s.schema
        )

    def close(self) -> None:
        """Close the connection; an open transaction ends without a commit."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def begin(self) -> BoundedConnection:
        """Begin a transaction whose timeouts and plans are those of a lease."""
        connection = self.connection
        path = connection.search_path()
        connection.execute(queries.BEGIN)
        if path:
            connection.execute(f"SET LOCAL search_path TO {path}".encode())
        self._configure(connection)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[BoundedConnection]:
        """Run the block in such a transaction, and commit it."""
        connection = self.connection
        with connection.transaction():
            self._configure(connection)
            yield connection

    def _configure(self, connection: BoundedConnection) -> None:
        connection.execute(queries.LEASE_SETTINGS, {
            "timeout_ms": str(int(self._settings.timeout_seconds * 1000)),
            "application_name": self._settings.name,
        })  # fmt: skip


def _open_at_the_other_end(connection: BoundedConnection) -> bool:
    pgconn = connection.pgconn
    socket = select.poll()
    socket.register(pgconn.socket, select.POLLIN)
    try:
        # Once for what the server said last, and once for the end behind it.
        for _ in range(2):
            if socket.poll(0):
                pgconn.consume_input()
    except psycopg.Error:
        return False
    return pgconn.status == psycopg.pq.ConnStatus.OK
