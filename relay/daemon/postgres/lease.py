"""A lease: one open transaction, the shards it locks, and the rows read under it."""

import select
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, assert_never

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.arrays import array
from relay.daemon.postgres.chunks import ChunkReader, Progress
from relay.daemon.postgres.claims import Claimed, SmallClaim
from relay.daemon.postgres.pipeline_cursor import PunctuatedCursor
from relay.daemon.postgres.row_filter import RowFilter
from relay.daemon.postgres.unsettled import Batch, LockedRow, note, park
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
        published: Mapping[int, str] | None = None,
    ) -> None:
        self._connection = connection
        # By earlier leases: rows that this one looks past.
        self._published = published or {}
        self._socket = select.poll()
        self._socket.register(connection, select.POLLIN)
        self._row_filter = row_filter
        self._reader = reader
        self.claimed = claimed
        self.deadline = deadline
        # Rows to be out of the way at the end, and the counts of those that were deleted.
        self.batch = Batch()
        self._deletions: list[tuple[int, PunctuatedCursor[Any]]] = []
        # Of these, the ones that somebody else has locked.
        self.left = Batch()
        self.locked: Sequence[LockedRow] = ()

    @property
    def progress(self) -> Progress:
        """Rows read so far."""
        return self._reader.progress

    @property
    def unread(self) -> set[int]:
        """The shards that may have more rows than were read."""
        return self._reader.unread

    @property
    def rows_max(self) -> int:
        """Rows that a lease has at most."""
        return self._reader.limits.rows

    @property
    def settled_rows(self) -> int:
        """Rows that are out of the way: deleted or parked."""
        return len(self.batch) - len(self.locked)

    def chunks(self) -> Iterator[Sequence[Row]]:
        """Yield chunks of rows, each in id order, until the lease is full or has no row left."""
        return self._reader.chunks()

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Delete the delivered rows, park the rejected ones, leave the others."""
        delivered: list[Row] = []
        rejected: list[Rejected] = []
        for outcome in outcomes:
            match outcome:
                case Delivered():
                    delivered.extend(outcome.rows)
                case Rejected():
                    rejected.append(outcome)
                case Undelivered():
                    pass
                case _:
                    assert_never(outcome)
        if delivered:
            self.batch.deliver(delivered)
            self._delete(list(map(_ID, delivered)))
        self.batch.reject(rejected)

    def commit(self) -> None:
        """Settle what is left, and end the lease."""
        self.finish()
        self._connection.execute(queries.COMMIT)

    def finish(self) -> None:
        """Settle what is left: rejected rows, and rows that others have, or had, locked."""
        deleted = all(cursor.await_rowcount() == count for count, cursor in self._deletions)
        self.left.rejected = dict(self.batch.rejected)
        if not deleted:
            self.left.delivered = dict(self.batch.delivered)
        if self.left:
            self.locked = self.left.settle(self._connection)
        published = {**self._published, **self.left.delivered}
        if published or any(claimed.unsettled for claimed in self.claimed):
            note(self._connection, [claimed.shard for claimed in self.claimed], published)

    def _delete(self, ids: Sequence[int]) -> None:
        deletion = PunctuatedCursor[Any](self._connection)
        deletion.execute(queries.DELETE, {"ids": array(ids)})
        self._deletions.append((len(ids), deletion))

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

    def head(self, claimed: Claimed, rows: int) -> list[tuple[int, int, str]]:
        """Return id, attempts and event id of the oldest rows of a shard in crash isolation."""
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

    def park(self, id_: int, event_id: str, error: str) -> None:
        """Park a row."""
        park(self._connection, {id_: (event_id, error)})

    def execute(self, statement: str, parameters: Mapping[str, object]) -> None:
        """Run a statement under this lease."""
        self._connection.execute(statement, parameters)


class SmallLease(Lease):
    """A lease whose rows came with the claim, and are deleted with the commit."""

    def __init__(
        self,
        connection: BoundedConnection,
        claim: SmallClaim,
        row_filter: RowFilter,
        reader: ChunkReader,
        deadline: Deadline,
    ) -> None:
        super().__init__(connection, claim.claimed, row_filter, reader, deadline)
        # Ids were drawn up to here before the rows were read.
        self.drawn = claim.drawn

    def commit(self) -> None:
        """Delete what was delivered, and end the lease, in one message if nothing was rejected."""
        delivered, rejected = self.batch.delivered, self.batch.rejected
        if rejected or not delivered:
            if delivered:
                super()._delete(list(delivered))
            super().commit()
            return
        settle = queries.SETTLE_SMALL.format(ids=array(delivered))
        left = self._connection.exchange(f"{settle}; {queries.COMMIT}")
        self.left.delivered = {id_: delivered[id_] for (id_,) in left}
        self.locked = [LockedRow(id_, None, None) for (id_,) in left]

    def _delete(self, ids: Sequence[int]) -> None:
        """Leave them for the commit."""
