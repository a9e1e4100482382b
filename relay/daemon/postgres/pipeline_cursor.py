"""Cursor for pipelines that PostgreSQL's timeouts can end at any moment."""

import psycopg
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen
from psycopg.generators import send
from psycopg.rows import Row


class PunctuatedCursor(psycopg.Cursor[Row]):
    """Within a pipeline, sends each statement and a sync point as one, and nothing else.

    PostgreSQL takes a client to be busy from any message on until a sync point comes. In between
    no timeout of its runs, and a relay that is frozen there would keep its lease for ever.
    """

    def await_rowcount(self) -> int:
        """Return the number of rows that the statement concerned, once its answer is there."""
        self._fetch_pipeline()
        return self.rowcount

    def _maybe_prepare_gen(
        self, pgq: PostgresQuery, *, prepare: bool | None = None, binary: bool | None = None
    ) -> PQGen[None]:
        yield from super()._maybe_prepare_gen(pgq, prepare=prepare, binary=binary)
        # psycopg's own sync() is a message of its own, and waits for every result.
        pipeline = self._conn._pipeline  # noqa: SLF001
        if pipeline is not None:
            send_statement = pipeline.command_queue.pop()

            def send_both() -> None:
                send_statement()
                self._pgconn.pipeline_sync()

            pipeline.command_queue.append(send_both)
            pipeline.result_queue.append(None)

    def _fetch_pipeline(self) -> None:
        # psycopg's own asks for a flush, which is such a message; the sync point flushes as well.
        pipeline = self._conn._pipeline  # noqa: SLF001
        if pipeline is not None and not self.pgresult:
            with self._conn.lock:
                self._conn.wait(send(pipeline.pgconn))
                self._conn.wait(pipeline._fetch_gen(flush=False))  # noqa: SLF001
