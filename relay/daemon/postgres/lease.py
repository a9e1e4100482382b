"""A lease: one open transaction, the shards it locks, and the rows read under it."""

import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.chunks import ChunkReader, Progress
from relay.daemon.postgres.claims import Claimed
from relay.daemon.postgres.row_filter import RowFilter
from relay.daemon.rows import Delivered, Outcome, Rejected, Row, Undelivered, column
from relay.daemon.timing import Deadline
from relay.database.connection import BoundedConnection

_ID = column("id")


class Lease:
    """Yields the rows of the claimed shards and settles them; the store begins and ends it."""

    def __init__(
        self,
        connection: BoundedConnection,
        claimed: Sequence[Claimed],
        row_filter: RowFilter,
        reader: ChunkReader,
        deadline: Deadline,
    ) -> None:
        self._connection = connection
        self._socket = select.poll()
        self._socket.register(connection, select.POLLIN)
        self._row_filter = row_filter
        self._reader = reader
        self.claimed = claimed
        self.deadline = deadline
        # Rows that are out of the way: deleted or parked.
        self.settled_rows = 0

    @property
    def progress(self) -> Progress:
        """Rows read so far."""
        return self._reader.progress

    @property
    def rows_max(self) -> int:
        """Rows that a lease has at most."""
        return self._reader.limits.rows

    def chunks(self) -> Iterator[Sequence[Row]]:
        """Yield chunks of rows, each in id order, until the lease is full or has no row left."""
        return self._reader.chunks()

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Delete the delivered rows, park the rejected ones, leave the others."""
        delivered: list[int] = []
        rejected: list[Rejected] = []
        for outcome in outcomes:
            match outcome:
                case Delivered():
                    delivered.extend(map(_ID, outcome.rows))
                case Rejected():
                    rejected.append(outcome)
                case Undelivered():
                    pass
                case _:
                    assert_never(outcome)
        self.settled_rows += len(delivered) + len(rejected)
        if delivered:
            # As text: psycopg builds an array from Python's list one element at a time.
            ids = "{" + ",".join(map(str, delivered)) + "}"
            self.execute(queries.DELETE, {"ids": ids})
        if rejected:
            self.park([r.row.id for r in rejected], [r.error for r in rejected])

    def alive(self) -> bool:
        """Return whether the connection, and with it the lease, is still there.

        Takes in all that has arrived of the next chunk: the database could not go on with it while
        it fills the socket's buffers.
        """
        pgconn = self._connection.pgconn
        try:
            while pgconn.status == psycopg.pq.ConnStatus.OK and self._socket.poll(0):
                pgconn.consume_input()
        except psycopg.Error:
            return False
        return pgconn.status == psycopg.pq.ConnStatus.OK

    # -- crash isolation ----------------------------------------------------------------------

    def head(self, claimed: Claimed, rows: int) -> list[tuple[int, int]]:
        """Return id and attempts of the oldest rows of a shard in crash isolation."""
        found = self._connection.execute(self._row_filter.applied_to(queries.HEAD), {
            **self._row_filter.parameters,
            "shard": claimed.shard,
            "after": claimed.after,
            "upto": claimed.isolated_until,
            "rows": rows,
        })  # fmt: skip
        return found.fetchall()

    def narrow(self, shard: int, upto: int) -> None:
        """Read nothing but the rows of *shard* up to the id *upto*."""
        self._reader.narrow(shard, upto)

    def park(self, ids: Sequence[int], errors: Sequence[str]) -> None:
        """Park rows, each with its error."""
        self.execute(queries.PARK, {"ids": ids, "errors": errors})

    def execute(self, statement: str, parameters: Mapping[str, object]) -> None:
        """Run a statement under this lease."""
        self._connection.execute(statement, parameters)
