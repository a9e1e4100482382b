"""A lease: one open transaction, the shards it locks, and the rows read under it."""

import select
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Final, assert_never

import psycopg

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.rows import Delivered, Outcome, Rejected, Row, Undelivered, column
from relay.daemon.timing import Deadline
from relay.database.connection import BoundedConnection
from relay.settings import RelaySettings

NO_LIMIT = 2**63 - 1
# The first chunk is a fourth of the others: until it is there, nothing is published.
_FIRST_CHUNK_PARTS: Final = 4
# The values of rows up to this size come with them.
_INLINE_BYTES: Final = 8_192

_ID = column("id")
_SHARD = column("shard")
_SIZE = column("size")
_POSITION = column("shard", "id")
_LARGE = ("payload", "metadata", "headers")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A locked shard: where to read from, and what became of its last holder.

    Holders are named by their transaction, as the xmax of a shard row shows it.
    """

    shard: int
    after: int
    isolated_until: int | None
    died: bool
    holder: int
    transaction: int


class Lease:
    """Reads and settles the rows of the claimed shards; the store begins and ends it."""

    def __init__(
        self,
        connection: BoundedConnection,
        claimed: Sequence[Claimed],
        exclusions: Exclusions,
        settings: RelaySettings,
        topic: str,
        decided_upto: int,
    ) -> None:
        self._connection = connection
        self._socket = select.poll()
        self._socket.register(connection, select.POLLIN)
        self._settings = settings
        self._after = {c.shard: c.after for c in claimed}
        self._upto = NO_LIMIT
        self._decided_upto = decided_upto
        self._parameters = {
            "topic": topic,
            "partitioner": settings.partitioner,
            **exclusions.parameters,
        }
        self._with_exclusions = partial(
            queries.with_exclusions,
            topics=bool(exclusions.topics),
            partitions=bool(exclusions.partitions),
        )
        self._read = self._with_exclusions(queries.READ, blocked=settings.block_keys)
        self._asked: list[int] = []
        self._per_shard = 0
        self.claimed = claimed
        self.deadline = Deadline(settings.delivery_budget_seconds)
        self._reading_ends = Deadline(settings.lease_seconds)
        self.rows = 0
        self.bytes = 0
        self.full = False
        # A shard has no more rows among those that are decided, but may have others.
        self.cut_short = False
        # The last row read of each shard, and how many of all rows read are out of the way.
        self.read_upto: dict[int, int] = {}
        self.settled_rows = 0

    # -- reading ------------------------------------------------------------------------------

    def chunks(self) -> Iterator[Sequence[Row]]:
        """Yield chunks, each in id order; the database reads one while the last is published.

        Ends when no claimed shard has a row left, or when the lease is full.
        """
        asked = self._ask()
        while asked is not None:
            # Not by PostgreSQL: see queries.READ.
            rows = self._whole(self._fitting(sorted(asked.fetchall(), key=_ID)))
            self._note(rows)
            asked = self._ask()
            if rows:
                yield rows

    def _ask(self) -> psycopg.Cursor[Row] | None:
        if not self._after:
            return None
        if self._is_full():
            self.full = True
            return None
        self._asked = self._behind()
        self._per_shard = max(1, self._wanted() // len(self._asked))
        cursor = self._connection.cursor(row_factory=_row_factory)
        cursor.execute(self._read, {
            **self._parameters,
            "shards": self._asked,
            "after": [self._after[shard] for shard in self._asked],
            "upto": self._upto,
            "rows_per_shard": self._per_shard,
            "inline_bytes": _INLINE_BYTES,
        }, binary=True)  # fmt: skip
        # From now on starts behind rows that were read, where others may still be committed: only
        # as far as all is decided can none of their keys follow before them.
        self._upto = min(self._upto, self._decided_upto)
        return cursor

    def _behind(self) -> list[int]:
        """Return the shards to read from: all at first, and then the half that is behind.

        With an equal part of each, shards of few keys would run ahead through the ids: new rows
        before old ones, and every page of the table visited again for each of the others.
        """
        oldest_first = sorted(self._after, key=self._after.__getitem__)
        return oldest_first[: (len(oldest_first) + 1) // 2] if self.rows else oldest_first

    def _wanted(self) -> int:
        """Return how many rows to ask for: later on as many as fit, if they are like the others."""
        s = self._settings
        if not self.rows:
            return min(s.chunk_rows // _FIRST_CHUNK_PARTS, s.lease_rows)
        fitting = s.chunk_bytes * self.rows // max(self.bytes, 1)
        return min(s.chunk_rows, s.lease_rows - self.rows, fitting)

    def _is_full(self) -> bool:
        s = self._settings
        # Less than one row a shard is left: with another chunk it would be more than a lease.
        rows_full = self.rows > 0 and self.rows + len(self._after) > s.lease_rows
        return rows_full or self.bytes >= s.lease_bytes or self._reading_ends.passed()

    def _fitting(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the first of *rows*, up to the one that fills a chunk."""
        upto = list(accumulate(map(_SIZE, rows)))
        return rows[: bisect_left(upto, self._settings.chunk_bytes) + 1]

    def _whole(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return *rows* with the values that were too large to come along."""
        large = [row.id for row in rows if row.size > _INLINE_BYTES]
        if not large:
            return rows
        cursor = self._connection.execute(queries.LARGE, {"ids": large}, binary=True)
        values = {id_: dict(zip(_LARGE, texts, strict=True)) for id_, *texts in cursor.fetchall()}
        return [
            row._replace(**values[row.id]) if row.id in values else row
            for row in rows
            if row.size <= _INLINE_BYTES or row.id in values
        ]

    def _note(self, rows: Sequence[Row]) -> None:
        # In id order: the last row of each shard stays.
        latest = dict(map(_POSITION, rows))
        size = sum(map(_SIZE, rows))
        self._after.update(latest)
        self.read_upto.update(latest)
        self.rows += len(rows)
        self.bytes += size
        if size < self._settings.chunk_bytes:
            self.full = self.full or self.rows > len(rows)
            read = Counter(map(_SHARD, rows))
            for shard in self._asked:
                if read[shard] < self._per_shard:
                    del self._after[shard]
                    self.cut_short = self.full

    # -- settling -----------------------------------------------------------------------------

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Delete what was delivered, park what was rejected, leave the rest."""
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
            self._connection.execute(queries.DELETE, {"ids": ids})
        if rejected:
            self._connection.execute(queries.PARK, {
                "ids": [r.row.id for r in rejected],
                "errors": [r.error for r in rejected],
            })  # fmt: skip

    # -- probation ----------------------------------------------------------------------------

    def head(self, claimed: Claimed, rows: int) -> list[tuple[int, int]]:
        """Return id and attempts of the oldest rows of a shard on probation."""
        found = self._connection.execute(self._with_exclusions(queries.HEAD), {
            **self._parameters,
            "shard": claimed.shard,
            "after": claimed.after,
            "upto": claimed.isolated_until,
            "rows": rows,
        })  # fmt: skip
        return found.fetchall()

    def narrow(self, shard: int, upto: int) -> None:
        """Read nothing but the rows of *shard* up to the id *upto*."""
        self._after = {shard: self._after[shard]}
        self._upto = upto

    def execute(self, statement: str, parameters: dict[str, object]) -> None:
        """Run a statement of the probation under this lease."""
        self._connection.execute(statement, parameters)

    # -- the transaction ----------------------------------------------------------------------

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


def _row_factory(_: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Row]:
    # Row._make does the same in Python, which at this place costs a tenth of the throughput.
    return partial(tuple.__new__, Row)
