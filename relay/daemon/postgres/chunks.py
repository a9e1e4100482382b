"""Chunks: the rows of a lease, read in bounded parts.

A small lease is one statement over all its shards, and has one snapshot. A large one has a cursor
for each shard, and so a snapshot for each, younger than the shard's lock. Within a shard nothing is
read behind a row that was not to be seen yet, so the rows of a key are read in the order in which
they were committed, however long other writers stay open.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from typing import Any, Final, Protocol

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
# A large lease reads from a fourth of its shards at a time.
_SHARD_PARTS: Final = 4
# Those of a small lease are kept by PostgreSQL as a whole before it sends one.
_FIRST_CHUNK_ROWS_MAX: Final = 500
# The values of rows up to this size come with them.
INLINE_BYTES: Final = 8_192
# Headers are longer as JSON than as they are sent: over a limit by more than this, rows don't fit.
_JSON_BYTES: Final = 64 << 10
_LARGE: Final = ("key", "name", "payload", "metadata", "headers")

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

    @property
    def first_rows(self) -> int:
        """Rows of the first chunk."""
        return min(self.chunk_rows // _FIRST_CHUNK_PARTS, _FIRST_CHUNK_ROWS_MAX, self.rows)


@dataclass(slots=True)
class Progress:
    """Progress of a lease: what it has read, and whether more may be there."""

    rows: int = 0
    bytes: int = 0
    full: bool = False
    # The last row read of each shard.
    read_upto: dict[int, int] = field(default_factory=dict)


class Answer(Protocol):
    """Rows that a statement answered with."""

    def fetchall(self) -> Sequence[Row]:
        """Return them all."""


@dataclass(frozen=True, slots=True)
class Read:
    """Rows that were read already, with the claim."""

    rows: Sequence[Row]

    def fetchall(self) -> Sequence[Row]:
        """Return them all."""
        return self.rows


@dataclass(frozen=True, slots=True)
class _Request:
    """Rows that the database is reading: by one cursor for all shards, or by one for each."""

    answers: Sequence[Answer]
    shards: Sequence[int]
    rows_per_shard: int


class ChunkReader:
    """Reads the rows of claimed shards, oldest first; if *large* by cursors, until it is full.

    *read*: the rows of a small lease, where they came with the claim.
    """

    def __init__(
        self,
        connection: BoundedConnection,
        claimed: Sequence[Claimed],
        row_filter: RowFilter,
        limits: ReadLimits,
        *,
        large: bool,
        sendable_bytes: int,
        read: Read | None = None,
    ) -> None:
        self._connection = connection
        self._row_filter = row_filter
        self.limits = limits
        self._readable_bytes = readable_bytes(sendable_bytes)
        self._large = large
        self._read_already = read
        self._ends = Deadline(limits.seconds)
        # Where the database has read to, of shards that may have more.
        self._after = {c.shard: c.after for c in claimed}
        # Where it begins, if it sees none of the writers beside which these positions hold.
        self._resume = {c.shard: c.resume for c in claimed}
        self._upto = NO_LIMIT
        # Shards with a cursor.
        self._opened = set[int]()
        # Read, and too much for the last chunk.
        self._ready: Sequence[Row] = ()
        # Of a small lease, the shards that may have more.
        self._left: Sequence[int] = ()
        self.progress = Progress()

    @property
    def unread(self) -> set[int]:
        """The shards that may have more rows than were read."""
        return {*self._after, *self._left}

    def narrow(self, shard: int, upto: int) -> None:
        """Read nothing but all rows of *shard* up to the id *upto*."""
        self._after = {shard: self._after[shard]}
        self._upto = upto
        self._large = True

    def chunks(self) -> Iterator[Sequence[Row]]:
        """Yield chunks, each in id order; the database reads one while the last is published.

        Ends when no claimed shard has a row left, or when the lease is full.
        """
        request = self._ask()
        while request is not None or self._ready:
            if request is not None:
                self._ready = self._answered(request)
            rows, self._ready = self._split(self._ready)
            whole = self._whole(rows)
            self._note(rows)
            if self._ready and self._is_full():
                self._ready = ()
            request = None if self._ready else self._ask()
            if whole:
                yield whole

    # -- asking -------------------------------------------------------------------------------

    def _ask(self) -> _Request | None:
        if not self._after or self._is_full():
            return None
        shards = self._behind()
        rows_per_shard = max(1, self._wanted() // len(shards))
        if self._large:
            answers = [self._fetch(shard, rows_per_shard) for shard in shards]
        else:
            answers = [self._read(shards, rows_per_shard)]
        return _Request(answers, shards, rows_per_shard)

    def _fetch(self, shard: int, rows: int) -> Answer:
        if shard not in self._opened:
            self._open(shard)
        statement = queries.FETCH.format(rows=rows, cursor=_cursor_of(shard))
        cursor = self._connection.cursor(row_factory=_row_factory)
        return cursor.execute(statement.encode(), binary=True)

    def _open(self, shard: int) -> None:
        self._opened.add(shard)
        statement = self._row_filter.applied_to(queries.OPEN, blocked=self.limits.block_keys)
        self._connection.execute(statement.replace("{cursor}", _cursor_of(shard)), {
            **self._row_filter.parameters,
            "shard": shard,
            "after": self._after[shard],
            "resume": self._resume[shard],
            "upto": self._upto,
            "inline_bytes": INLINE_BYTES,
            "readable_bytes": self._readable_bytes,
        })  # fmt: skip

    def _read(self, shards: Sequence[int], rows_per_shard: int) -> Answer:
        if self._read_already is not None:
            return self._read_already
        statement = self._row_filter.applied_to(queries.READ, blocked=self.limits.block_keys)
        cursor = self._connection.cursor(row_factory=_row_factory)
        return cursor.execute(statement, {
            **self._row_filter.parameters,
            "shards": shards,
            "after": [self._after[shard] for shard in shards],
            "resume": [self._resume[shard] for shard in shards],
            "upto": self._upto,
            "rows_per_shard": rows_per_shard,
            "inline_bytes": INLINE_BYTES,
            "readable_bytes": self._readable_bytes,
        }, binary=True)  # fmt: skip

    def _behind(self) -> list[int]:
        """Return the shards to read from: all of a small lease, else those that are behind.

        With an equal part of each, shards of few keys would run ahead through the ids: new rows
        before old ones, and every page of the table visited again for each of the others. And the
        first rows are published while the cursors of the other shards are opened.
        """
        oldest_first = sorted(self._after, key=self._after.__getitem__)
        parts = _SHARD_PARTS if self._large else 1
        return oldest_first[: -(-len(oldest_first) // parts)]

    def _wanted(self) -> int:
        """Return the number of rows to ask for: later on as many as fit, if of the same size."""
        limits, read = self.limits, self.progress
        if not read.rows:
            return limits.first_rows
        fitting = limits.chunk_bytes * read.rows // max(read.bytes, 1)
        return min(limits.chunk_rows, limits.rows - read.rows, fitting)

    def _is_full(self) -> bool:
        limits, read = self.limits, self.progress
        # Less than one row a shard is left: with another chunk it would be more than a lease.
        rows_full = read.rows > 0 and read.rows + len(self._after) > limits.rows
        full = rows_full or read.bytes >= limits.bytes or self._ends.passed()
        read.full = read.full or full
        return full

    # -- taking in ----------------------------------------------------------------------------

    def _answered(self, request: _Request) -> Sequence[Row]:
        """Return the rows of *request* in id order, and strike shards that have no more."""
        # Not sorted by PostgreSQL: see queries.READ.
        rows = sorted((row for answer in request.answers for row in answer.fetchall()), key=_ID)
        self._after.update(map(_POSITION, rows))
        found = Counter(map(_SHARD, rows))
        exhausted = [s for s in request.shards if found[s] < request.rows_per_shard]
        if not self._large:
            # There is no second snapshot: what is left is for the next lease.
            self._left = [s for s in request.shards if s not in exhausted]
            self.progress.full = bool(self._left)
            exhausted = list(request.shards)
        for shard in exhausted:
            del self._after[shard]
        return rows

    def _split(self, rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
        """Return the first of *rows*, up to the one that fills a chunk, and the others."""
        upto = list(accumulate(self._weights(rows)))
        count = bisect_left(upto, self.limits.chunk_bytes) + 1
        return rows[:count], rows[count:]

    def _whole(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return *rows* with the values that were too large to come along."""
        large = {row.id for row in rows if INLINE_BYTES < row.size <= self._readable_bytes}
        if not large:
            return rows
        cursor = self._connection.execute(queries.LARGE, {"ids": list(large)}, binary=True)
        values = {id_: dict(zip(_LARGE, texts, strict=True)) for id_, *texts in cursor.fetchall()}
        return [
            row._replace(**values[row.id]) if row.id in values else row
            for row in rows
            if row.id in values or row.id not in large
        ]

    def _weights(self, rows: Sequence[Row]) -> Sequence[int]:
        """Return the bytes that are read of *rows*: nothing of those that cannot be sent."""
        sizes = list(map(_SIZE, rows))
        if max(sizes, default=0) <= self._readable_bytes:
            return sizes
        return [size if size <= self._readable_bytes else 0 for size in sizes]

    def _note(self, rows: Sequence[Row]) -> None:
        # In id order: the last row of each shard stays.
        read = self.progress
        read.read_upto.update(map(_POSITION, rows))
        read.rows += len(rows)
        read.bytes += sum(self._weights(rows))


def readable_bytes(sendable_bytes: int) -> int:
    """Return the size up to which a row is read, given that of the largest message."""
    return min(sendable_bytes + _JSON_BYTES, NO_LIMIT)


def _cursor_of(shard: int) -> str:
    return f"outbox_rows_{shard}"


def _row_factory(_: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Row]:
    # Row._make does the same in Python, which at this place costs a tenth of the throughput.
    return partial(tuple.__new__, Row)
