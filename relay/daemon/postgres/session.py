"""Session: the one connection of a worker or of the sampler."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.string import TextBinaryLoader, TextLoader

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
        # Arguments of outbox_claim().
        self.lease_arguments = ", ".join(
            sql.Literal(text).as_string() for text in (_milliseconds(settings), settings.name)
        )
        # Before our own patience ends: a backend that waits for a lock would claim shards for a
        # connection that is no more, and they would look like those of a relay that died.
        self._lock_timeout = str(int(settings.patience_seconds * 500))
        # Of user or database they are for others: a look that they end is never repeated in time.
        self._timeouts = (
            f"SET LOCAL statement_timeout = {_milliseconds(settings)}; "
            f"SET LOCAL lock_timeout = {self._lock_timeout};"
        )
        self._connection: BoundedConnection | None = None

    @property
    def name(self) -> str:
        """The name of the connection in PostgreSQL."""
        return self._settings.name

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

    def is_on(self, connection: BoundedConnection) -> bool:
        """Return whether *connection* is still the one of this session."""
        return self._connection is connection

    def connect(self) -> None:
        """Connect anew.

        Raises:
            DatabaseUnavailableError: the reason.
        """
        self.close()
        s = self._settings
        connection = connect(
            s.conninfo, s.name, s.patience_seconds, PunctuatedCursor, schema=s.schema
        )
        # Whatever the default of user or database is.
        connection.read_only = False
        # As the text that it is.
        connection.adapters.register_loader("json", TextLoader)
        connection.adapters.register_loader("json", TextBinaryLoader)
        self._connection = connection

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
        connection.execute(queries.LOCK)
        return connection

    def begin_with(self, statement: str) -> list[tuple[Any, ...]]:
        """Begin a transaction with *statement*, all in one message; return its rows."""
        return self._send(f"{queries.BEGIN};", f"{queries.LOCK}; {statement}")

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run *statement* in a transaction of its own, all in one message; return its rows."""
        return self._send(f"{queries.AS_OURS};", statement)

    def rollback(self) -> None:
        """End the open transaction without a commit."""
        self.connection.rollback()

    @contextmanager
    def transaction(self) -> Iterator[BoundedConnection]:
        """Run the block in such a transaction, and commit it; only results are waited for."""
        connection = self.connection
        with connection.pipeline(), connection.transaction():
            self._configure(connection)
            yield connection

    def _send(self, begin: str, statement: str) -> list[tuple[Any, ...]]:
        path = self.connection.search_path()
        placed = f"SET LOCAL search_path TO {path};" if path else ""
        return self.connection.exchange(f"{begin} {self._timeouts} {placed} {statement}")

    def _configure(self, connection: BoundedConnection) -> None:
        connection.execute(queries.LEASE_SETTINGS, {
            "timeout_ms": _milliseconds(self._settings),
            "lock_timeout_ms": self._lock_timeout,
            "application_name": self._settings.name,
        })  # fmt: skip


def _milliseconds(settings: SessionSettings) -> str:
    return str(int(settings.timeout_seconds * 1000))


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
