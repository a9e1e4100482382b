"""A PostgreSQL connection that never waits for ever."""

from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen

from relay.errors import DatabaseUnavailableError

CONNECT_SECONDS: Final = 5
_TICK_SECONDS: Final = 0.5


class BoundedConnection(psycopg.Connection[Any]):
    """Gives up on an answer after ``patience_seconds``.

    A server that is stopped, or behind a network that swallows packets, answers nothing and closes
    nothing; neither the server's timeouts nor TCP's notice that.
    """

    patience_seconds: float = 10.0

    def wait(
        self, gen: PQGen[RV], interval: float = _TICK_SECONDS, timeout: float | None = None
    ) -> RV:
        """Run *gen* to its end.

        Raises:
            psycopg.OperationalError: no answer within *timeout*, or else ``patience_seconds``;
                the connection is closed then.
        """
        patience = self.patience_seconds if timeout is None else timeout
        try:
            return super().wait(gen, interval, patience)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - documented as what wait() raises
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"no answer from the database for {patience:g} s"
            ) from None


def connect(
    conninfo: str,
    name: str,
    patience_seconds: float,
    cursor_factory: type[psycopg.Cursor[Any]] | None = None,
) -> BoundedConnection:
    """Open a connection in autocommit mode that works behind PgBouncer's transaction mode.

    Raises:
        DatabaseUnavailableError: with the reason, without the connection string.
    """
    try:
        connection = BoundedConnection.connect(
            conninfo,
            autocommit=True,
            cursor_factory=cursor_factory,
            prepare_threshold=None,
            application_name=name,
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=int(patience_seconds * 1000),
        )
    except psycopg.Error as error:
        raise DatabaseUnavailableError(explain(error)) from None
    connection.patience_seconds = patience_seconds
    return connection


def explain(error: psycopg.Error) -> str:
    """Return the first line of *error*: details may quote a row, and so a payload."""
    lines = str(error.diag.message_primary or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
