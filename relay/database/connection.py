"""A PostgreSQL connection that never waits for ever."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import IsolationLevel, sql
from psycopg.abc import RV, Params, PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus

from relay.database.location import locate, search_path
from relay.errors import DatabaseUnavailableError

CONNECT_SECONDS: Final = 5
_TICK_SECONDS: Final = 0.5
_SUCCESS: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})


class BoundedConnection(psycopg.Connection[Any]):
    """Gives up on an answer after ``patience_seconds``, and finds the outbox tables in any schema.

    A server that is stopped, or behind a network that swallows packets, answers nothing and closes
    nothing; neither the server's timeouts nor TCP's notice that.

    Where the tables are in a schema that the user's search_path does not name, or in ``schema``,
    every transaction begins by putting that there: what is set for a session a pooler forgets, or
    shows to others. A statement outside a transaction gets one of its own then.
    """

    patience_seconds: float = 10.0
    schema: str | None = None
    # Empty: nothing to set. None: not known yet, since there were no tables.
    _search_path: str | None = None

    def search_path(self) -> str:
        """Return what to put on the search_path to find the outbox tables; empty for nothing.

        Raises:
            SchemaError: it is not clear in which schema they are.
        """
        if self._search_path is None:
            with super().transaction():
                # Whatever user or database are set to.
                milliseconds = int(self.patience_seconds * 1000)
                super().execute(f"SET LOCAL statement_timeout = {milliseconds}".encode())
                place = locate(super().execute, self.schema)
            if place is not None:
                self._search_path = "" if place[1] else search_path(place[0])
        return self._search_path or ""

    @contextmanager
    def transaction(
        self,
        savepoint_name: str | None = None,
        force_rollback: bool = False,  # noqa: FBT001, FBT002 - as psycopg has it
    ) -> Iterator[psycopg.Transaction]:
        """Like psycopg's own, with the outbox tables on the search_path."""
        begins = self.info.transaction_status == TransactionStatus.IDLE
        path = self.search_path() if begins else ""
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if path:
                # Not set_config(): after a query no isolation level could be set.
                super().execute(f"SET LOCAL search_path TO {path}".encode())
            yield transaction

    def execute(  # type: ignore[override]  # not a template, of which we have none
        self, query: str | bytes | sql.SQL | sql.Composed, params: "Params | None" = None, *,
        prepare: bool | None = None, binary: bool = False,
    ) -> psycopg.Cursor[Any]:  # fmt: skip
        """Like psycopg's own, with the outbox tables on the search_path."""
        alone = (
            self._search_path != ""
            and self.info.transaction_status == TransactionStatus.IDLE
            and self.info.pipeline_status == PipelineStatus.OFF
        )
        if not alone:
            return super().execute(query, params, prepare=prepare, binary=binary)
        with self.transaction():
            return super().execute(query, params, prepare=prepare, binary=binary)

    def exchange(self, statements: str) -> list[tuple[Any, ...]]:
        """Run *statements* in one message; return the rows of the last one that gives any.

        Half the cost of a cursor, which loads the result of every statement. Sets no search_path.

        Raises:
            psycopg.Error: one of them failed.
        """
        with self.lock:
            self.pgconn.send_query(statements.encode())
            results = self.wait(execute(self.pgconn))
        if not results:
            raise psycopg.InternalError("no result from the database")
        for result in results:
            if result.status not in _SUCCESS:
                raise error_from_result(result)
        rows: list[tuple[Any, ...]] = []
        for result in results:
            if result.status == ExecStatus.TUPLES_OK:
                transformer = Transformer(self)
                transformer.set_pgresult(result)
                rows = transformer.load_rows(0, result.ntuples, tuple)
        return rows

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
    *,
    schema: str | None = None,
) -> BoundedConnection:
    """Open a connection in autocommit mode that works behind PgBouncer's transaction mode.

    *schema*: where the outbox tables are, unless that is to be found out.

    Raises:
        DatabaseUnavailableError: with the reason, without the connection string.
    """
    try:
        connection = BoundedConnection.connect(
            conninfo,
            autocommit=True,
            cursor_factory=cursor_factory,
            prepare_threshold=None,
            # That of a database in SQL_ASCII would have psycopg return bytes instead of text.
            client_encoding="utf8",
            application_name=name,
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=int(patience_seconds * 1000),
        )
    except psycopg.Error as error:
        raise DatabaseUnavailableError(explain(error)) from None
    # Whatever the default of user or database is.
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    connection.patience_seconds = patience_seconds
    connection.schema = schema
    return connection


def explain(error: psycopg.Error) -> str:
    """Return the first line of *error*: details may quote a row, and so a payload."""
    lines = str(error.diag.message_primary or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
