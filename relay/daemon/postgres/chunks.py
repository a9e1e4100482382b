"""Chunks: the rows of a lease, read in bounded parts."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any, Final

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.claims import Claimed
from relay.daemon.postgres.row_filter import RowFilter
from relay.daemon.rows import Row, column
from relay.daemon.timing import Deadline
from relay.database.connection import BoundedConnection

NO_LIMIT: Final = 2**63 - 1
# The first chunk is a fourth of the others: until it is there, nothing is published.
_FIRST_CHUNK_PARTS: Final = 4
# The values of rows up to this size come with them.
_INLINE_BYTES: Final = 8_192
_LARGE: Final = ("payload", "metadata", "headers")

_ID = column("id")
_SHARD = column("shard")
_SIZE = column("size")
_POSITION = column("shard", "id")


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits of a lease, in rows, bytes and seconds, and of each of its chunks."""

    rows: int
    bytes: int
    seconds: float
    chunk_rows: int
    chunk_bytes: int
    # A parked row holds back later rows of its key.
    block_keys: bool


@dataclass(slots=True)
class Progress:
    """Progress of a lease: what it has read, and whether more is certainly there."""

    rows: int = 0
    bytes: int = 0
    full: bool = False
    # A shard is exhausted up to the watermark; newer rows may exist.
    cut_short: bool = False
    # The last row read of each shard.
    read_upto: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Request:
    """A chunk that the database is reading."""

    cursor: psycopg.Cursor[Row]
    shards: Sequence[int]
    rows_per_shard: int


class ChunkReader:
    """Reads the rows of claimed shards, oldest first. All is decided up to *decided_upto*."""

    def __init__(
        self,
        connection: BoundedConnection,
        claimed: Sequence[Claimed],
        row_filter: RowFilter,
        limits: ReadLimits,
        decided_upto: int,
    ) -> None:
        self._connection = connection
        self._statement = row_filter.applied_to(queries.READ, blocked=limits.block_keys)
        self._parameters = row_filter.parameters
        self.limits = limits
        self._ends = Deadline(limits.seconds)
        self._after = {c.shard: c.after for c in claimed}
        self._upto = NO_LIMIT
        self._decided_upto = decided_upto
        self.progress = Progress()

    def narrow(self, shard: int, upto: int) -> None:
        """Read nothing but the rows of *shard* up to the id *upto*."""
        self._after = {shard: self._after[shard]}
        self._upto = upto

    def chunks(self) -> Iterator[Sequence[Row]]:
        """Yield chunks, each in id order; the database reads one while the last is published.

        Ends when no claimed shard has a row left, or when the lease is full.
        """
        request = self._ask()
        while request is not None:
            # Not by PostgreSQL: see queries.READ.
            rows = self._whole(self._fitting(sorted(request.cursor.fetchall(), key=_ID)))
            self._note(request, rows)
            request = self._ask()
            if rows:
                yield rows

    # -- asking -------------------------------------------------------------------------------

    def _ask(self) -> _Request | None:
        if not self._after:
            return None
        if self._is_full():
            self.progress.full = True
            return None
        shards = self._behind()
        rows_per_shard = max(1, self._wanted() // len(shards))
        cursor = self._connection.cursor(row_factory=_row_factory)
        cursor.execute(self._statement, {
            **self._parameters,
            "shards": shards,
            "after": [self._after[shard] for shard in shards],
            "upto": self._upto,
            "rows_per_shard": rows_per_shard,
            "inline_bytes": _INLINE_BYTES,
        }, binary=True)  # fmt: skip
        # From now on starts behind rows that were read, where others may still be committed: only
        # as far as all is decided can none of their keys follow before them.
        self._upto = min(self._upto, self._decided_upto)
        return _Request(cursor, shards, rows_per_shard)

    def _behind(self) -> Sequence[int]:
        """Return the shards to read from: all at first, and then the half that is behind.

        With an equal part of each, shards of few keys would run ahead through the ids: new rows
        before old ones, and every page of the table visited again for each of the others.
        """
        oldest_first = sorted(self._after, key=self._after.__getitem__)
        if not self.progress.rows:
            return oldest_first
        return oldest_first[: (len(oldest_first) + 1) // 2]

    def _wanted(self) -> int:
        """Return the number of rows to ask for: later on as many as fit, if of the same size."""
        limits, read = self.limits, self.progress
        if not read.rows:
            return min(limits.chunk_rows // _FIRST_CHUNK_PARTS, limits.rows)
        fitting = limits.chunk_bytes * read.rows // max(read.bytes, 1)
        return min(limits.chunk_rows, limits.rows - read.rows, fitting)

    def _is_full(self) -> bool:
        limits, read = self.limits, self.progress
        # Less than one row a shard is left: with another chunk it would be more than a lease.
        rows_full = read.rows > 0 and read.rows + len(self._after) > limits.rows
        return rows_full or read.bytes >= limits.bytes or self._ends.passed()

    # -- taking in ----------------------------------------------------------------------------

    def _fitting(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the first of *rows*, up to the one that fills a chunk."""
        upto = list(accumulate(map(_SIZE, rows)))
        return rows[: bisect_left(upto, self.limits.chunk_bytes) + 1]

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

    def _note(self, request: _Request, rows: Sequence[Row]) -> None:
        # In id order: the last row of each shard stays.
        latest = dict(map(_POSITION, rows))
        size = sum(map(_SIZE, rows))
        read = self.progress
        self._after.update(latest)
        read.read_upto.update(latest)
        read.rows += len(rows)
        read.bytes += size
        if size < self.limits.chunk_bytes:
            read.full = read.full or read.rows > len(rows)
            by_shard = Counter(map(_SHARD, rows))
            for shard in request.shards:
                if by_shard[shard] < request.rows_per_shard:
                    del self._after[shard]
                    read.cut_short = read.full


def _row_factory(_: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Row]:
    # Row._make does the same in Python, which at this place costs a tenth of the throughput.
    return partial(tuple.__new__, Row)
