"""Store: the outbox as a worker uses it, one lease at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.postgres.arrays import array
from relay.daemon.postgres.blind_spot import View
from relay.daemon.postgres.chunks import (
    INLINE_BYTES,
    NO_LIMIT,
    ChunkReader,
    Read,
    ReadLimits,
    readable_bytes,
)
from relay.daemon.postgres.claims import Claims, SmallClaim
from relay.daemon.postgres.emptiness import Emptiness
from relay.daemon.postgres.lease import Lease, SmallLease
from relay.daemon.postgres.lost_leases import LostLeases
from relay.daemon.postgres.low_watermark import LowWatermarks
from relay.daemon.postgres.row_filter import Destination, RowFilter
from relay.daemon.postgres.session import Session
from relay.daemon.postgres.survey import Survey
from relay.daemon.postgres.unreadable import VALUE_FAULTS, park_unreadable
from relay.daemon.postgres.unsettled import Batch, LockedRow
from relay.daemon.timing import Deadline


@dataclass(frozen=True, slots=True)
class LeaseLimits:
    """Limits of a lease: shards to lock, what it reads, and seconds until it must be over."""

    shards: int
    read: ReadLimits
    budget_seconds: float


class Store:
    """Claims leases and keeps the watermarks.

    Every method raises ``psycopg.Error`` when the database fails; close() then, and connect().
    """

    def __init__(self, session: Session, destination: Destination, limits: LeaseLimits) -> None:
        self._session = session
        self._destination = destination
        self._limits = limits
        self._claims = Claims(limits.shards)
        self._lost = LostLeases()
        self._unsettled = Batch()
        self.locked: Sequence[LockedRow] = ()
        self._kept: list[int] = []
        # Acknowledged by Kafka under the last lease, if that was lost.
        self.lost_rows = 0
        # Shards that a lease left behind: the next one will be worth its cursors.
        self._unread = set[int]()
        # Where a lease met rows that cannot be read: its shards, and how far it was with each.
        self._unreadable: Mapping[int, int] = {}
        self._survey = Survey(session, destination)
        self._emptiness = Emptiness()
        # The database has the functions of small leases.
        self._has_functions = False

    @property
    def connected(self) -> bool:
        """True while there is a connection that was not found broken."""
        return self._session.connected

    @property
    def watermarks(self) -> LowWatermarks:
        """The watermarks that claims and leases start from."""
        return self._survey.watermarks

    @property
    def now_ms(self) -> int:
        """The database's time when the watermarks were refreshed."""
        return self._survey.now_ms

    def connect(self) -> None:
        """Connect anew, and show that this relay did not die of the leases that it lost.

        Raises:
            DatabaseUnavailableError: the reason.
        """
        self._session.connect()
        # The new connection may lead to another server, where ids were drawn less far.
        self.look_again()
        self._has_functions = self._session.ask(queries.SMALL_LEASES) == [(True,)]
        self._lost.survive(self._session)
        self.settle_unsettled()

    def close(self) -> None:
        """Close the connection; a lease that is open ends without a commit."""
        self.lost_rows = 0
        self._session.close()

    def look_again(self) -> None:
        """Forget what was found so far, and look from the first id on."""
        self.watermarks.reset()
        self._emptiness.lost()

    @property
    def empty(self) -> bool:
        """True if the last refresh of the watermarks found no row, and none undecided."""
        return self._survey.empty

    def exhausted(self, lease: Lease) -> bool:
        """Return whether *lease*, which is over, left nothing that it could have seen."""
        return (
            lease.settled_rows == lease.progress.rows
            and not lease.progress.full
            and len(lease.claimed) < self._claims.share(self._survey.other_leases)
        )

    @property
    def knows_all(self) -> bool:
        """True while the watermarks are as high as they can be: no row up to there waits."""
        return self._emptiness.known

    def nothing_new(self) -> bool:
        """Return whether there is certainly nothing to do; False where that is not known."""
        if not (self._has_functions and self._emptiness.known):
            return False
        ((drawn, epoch),) = self._session.ask(queries.PROBE_DRAWN)
        return self._emptiness.still(drawn, epoch)

    def refresh_watermarks(self, exclusions: Exclusions) -> View:
        """Raise the watermarks as far as is proven; return what is left out then."""
        self.settle_unsettled()
        self._survey.refresh_watermarks(exclusions)
        if self._survey.empty:
            self._emptiness.found(self.watermarks.drawn, self.watermarks.epoch)
        else:
            self._emptiness.lost()
        return self._survey.view(exclusions, self._unsettled.events)

    def resume_lost(self) -> bool:
        """Return whether a writer has ended beside which the resume positions held.

        Then everybody reads from the watermarks again, until they are refreshed.
        """
        if not self.watermarks.beside:
            return False
        beside = array(self.watermarks.beside)
        return self._session.ask(queries.ALL_OPEN.format(beside=f"'{beside}'")) == [(False,)]

    @contextmanager
    def lease(
        self,
        exclusions: Exclusions,
        only: int | None = None,
        sendable_bytes: int = NO_LIMIT,
        *,
        short: bool = False,
    ) -> Iterator[Lease | None]:
        """Lock shards with pending rows, or *only* one shard; None where there is nothing to do.

        Of rows that are larger than what can be sent, only the size is read. A *short* lease ends
        with its first chunk, however many rows wait.

        Commits at the end of the block, unless it is left by an exception.
        """
        large = bool(self._unread) and not short
        with self._begun(exclusions, only, sendable_bytes, large=large) as lease:
            claimed = lease.claimed if lease else ()
            with self._lost.noting(claimed), self._remembering(lease):
                yield lease
                if lease is not None:
                    lease.commit()
        self._note_unread(lease)
        if lease is not None:
            self._pass(lease)
            if isinstance(lease, SmallLease) and lease.locked:
                # Who has them locked.
                self.settle_unsettled()

    @contextmanager
    def _begun(
        self, exclusions: Exclusions, only: int | None, sendable_bytes: int, *, large: bool
    ) -> Iterator[Lease | None]:
        """Begin a lease, which its user ends."""
        row_filter = self._row_filter(exclusions)
        is_plain = row_filter.passes_all and not self._limits.read.block_keys
        if self._has_functions and is_plain and only is None and not large:
            claim = self._claim_small(sendable_bytes)
            if claim is not None:
                yield self._small_lease(claim, row_filter, sendable_bytes)
                return
        # One pipeline: the database works on a statement while the last result is published.
        with self._session.connection.pipeline():
            connection = self._session.begin()
            claimed = self._claims.claim(
                connection, row_filter, self.watermarks,
                other_leases=self._survey.other_leases, only=only,
            )  # fmt: skip
            if not claimed:
                yield None
                connection.execute(queries.COMMIT)
                return
            for each in claimed:
                self._unsettled.delivered.update(each.unsettled)
            row_filter = self._row_filter(exclusions)
            reader = ChunkReader(
                connection, claimed, row_filter, self._limits.read,
                large=large, sendable_bytes=sendable_bytes,
            )  # fmt: skip
            yield Lease(
                connection, claimed, row_filter, reader, Deadline(self._limits.budget_seconds),
                self._unsettled.delivered,
            )  # fmt: skip

    def _row_filter(self, exclusions: Exclusions) -> RowFilter:
        return RowFilter(
            self._destination, exclusions, self._unsettled.events, self.watermarks.beside
        )

    def _claim_small(self, sendable_bytes: int) -> SmallClaim | None:
        """Begin a small lease; None if a row of it cannot be read, or some were published."""
        try:
            claim = self._claims.claim_small(
                self._session, self.watermarks,
                other_leases=self._survey.other_leases, rows=self._limits.read.first_rows,
                reading=f"{INLINE_BYTES}, {readable_bytes(sendable_bytes)}",
            )  # fmt: skip
        except VALUE_FAULTS:
            # The same by single statements tells in which shards.
            self._session.rollback()
            return None
        if any(claimed.unsettled for claimed in claim.claimed):
            # Not rolled back, or the shards would bear the mark of a death.
            self._session.connection.execute(queries.COMMIT)
            return None
        return claim

    def _small_lease(
        self, claim: SmallClaim, row_filter: RowFilter, sendable_bytes: int
    ) -> SmallLease | None:
        connection = self._session.connection
        if not claim.claimed:
            connection.execute(queries.COMMIT)
            return None
        reader = ChunkReader(
            connection, claim.claimed, row_filter, self._limits.read,
            large=False, sendable_bytes=sendable_bytes, read=Read(claim.rows),
        )  # fmt: skip
        deadline = Deadline(self._limits.budget_seconds)
        return SmallLease(connection, claim, row_filter, reader, deadline)

    @contextmanager
    def _remembering(self, lease: Lease | None) -> Iterator[None]:
        """Remember what stays unsettled: rows that are locked, or all if the lease is lost."""
        try:
            yield
        except Exception as error:
            if lease is not None:
                self.lost_rows = len(lease.batch.delivered)
                self._unsettled.update(lease.batch)
                if isinstance(error, VALUE_FAULTS):
                    read_upto = lease.progress.read_upto
                    self._unreadable = {c.shard: c.after for c in lease.claimed} | read_upto
            raise
        if lease is not None:
            self._kept += lease.left.kept
            if lease.locked:
                self._unsettled.update(lease.left)
                self.locked = [*self.locked, *lease.locked]

    def _note_unread(self, lease: Lease | None) -> None:
        claimed = {c.shard for c in lease.claimed} if lease else set[int]()
        if len(claimed) < self._claims.share(self._survey.other_leases):
            # It had every shard with pending rows.
            self._unread.clear()
        self._unread -= claimed
        if lease is not None:
            self._unread |= lease.unread

    def settle_unsettled(self) -> None:
        """Settle what earlier leases had to leave; afterwards *locked* tells what is still left."""
        if not self._unsettled:
            return
        with self._session.transaction() as connection:
            self.locked = self._unsettled.settle(connection)
        self._kept += self._unsettled.kept
        self._unsettled.kept.clear()

    def take_kept(self) -> Sequence[int]:
        """Return the ids of rows that were parked because they cannot be deleted, once."""
        kept, self._kept = self._kept, []
        return kept

    def park_unreadable(self) -> Sequence[int]:
        """Park the rows because of which the last lease failed; return their ids."""
        read_upto, self._unreadable = self._unreadable, {}
        # As much as a lease asks for before it has taken in what it asked for before.
        rows = 2 * self._limits.read.chunk_rows
        parked: list[int] = []
        for shard, after in read_upto.items():
            with self._session.transaction() as connection:
                parked += park_unreadable(connection, shard, after, rows)
        return parked

    def _pass(self, lease: Lease) -> None:
        """Move the watermarks behind a lease of which every row is out of the way."""
        # Rows held back by a parked one of their key are not read; watermarks must not pass them.
        if lease.settled_rows == lease.progress.rows and not self._limits.read.block_keys:
            self.watermarks.passed(lease.progress.read_upto)
            if (
                isinstance(lease, SmallLease)
                and lease.batch
                and self._emptiness.settled(lease.batch.ids, lease.drawn)
            ):
                self.watermarks.pass_all(lease.drawn)
