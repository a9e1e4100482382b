"""Survey of the outbox: low watermarks, oldest pending rows, and figures for the metrics."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from relay.daemon.exclusions import Exclusions
from relay.daemon.figures import Figures
from relay.daemon.postgres import queries
from relay.daemon.postgres.backlog import ShardRows, backlog
from relay.daemon.postgres.blind_spot import View, missed_rows
from relay.daemon.postgres.former_tables import FormerTables
from relay.daemon.postgres.low_watermark import LOWEST_ID, First, Lasting, LowWatermarks, Sample
from relay.daemon.postgres.row_filter import Destination, RowFilter
from relay.daemon.postgres.session import Session
from relay.database.connection import BoundedConnection

# Of each shard: beyond it, pending rows are estimated.
COUNT_LIMIT: Final = 2_000
PARKED_LIMIT: Final = 100_000


class Survey:
    """Looks at the outbox without locking anything. Raises ``psycopg.Error``.

    *block_keys*: a parked row holds back later rows of its key.
    """

    def __init__(
        self, session: Session, destination: Destination, *, block_keys: bool = False
    ) -> None:
        self._session = session
        self._destination = destination
        self._block_keys = block_keys
        # Open transactions that wrote to the outbox, by the time when each was first seen.
        self._writers: Mapping[str, int] = {}
        self._former = FormerTables(PARKED_LIMIT)
        self.watermarks = LowWatermarks()
        # As of the last refresh: the database's time, and the leases of other workers.
        self.now_ms = 0
        self.other_leases = 0
        # Nothing was pending, and nothing undecided, of all ids that were drawn.
        self.empty = False

    def refresh_watermarks(self, exclusions: Exclusions) -> None:
        """Raise the watermarks as far as is proven."""
        self.empty = False
        is_first = not self.watermarks.looked
        decided, lasting = self._observe()
        if decided is None and is_first:
            # Writers are told apart by a second look: by this one, most have ended.
            decided, lasting = self._observe()
        if decided is None:
            self._resume_beside(lasting, exclusions)
            return
        firsts = self.firsts(exclusions)
        self.watermarks.raise_to(decided, firsts)
        all_decided = LOWEST_ID < decided == self.watermarks.drawn
        self.empty = all_decided and not firsts and exclusions == Exclusions()

    def _resume_beside(self, lasting: Lasting, exclusions: Exclusions) -> None:
        """Find out from where to read on beside writers that stay open."""
        writers = {"writers": list(lasting.writers)}
        with self._session.transaction() as connection:
            # In this order: what was not written by these is decided when the rows are looked at.
            found = dict(connection.execute(queries.TRANSACTIONS, writers).fetchall())
            firsts = self._firsts(connection, exclusions, blocked=False)
        known = tuple(found.values()) if found.keys() == lasting.writers else ()
        self.watermarks.resume_beside(known, lasting.upto, firsts)

    def view(self, exclusions: Exclusions, unsettled: Mapping[int, str] | None = None) -> View:
        """Return the watermarks as they are, if they rose under these *exclusions*."""
        watermarks = self.watermarks
        return View(
            watermarks.epoch, tuple(watermarks.ids), exclusions, unsettled or {},
            tuple(watermarks.resume), tuple(watermarks.beside),
        )  # fmt: skip

    def missed_rows(self, view: View) -> Sequence[int]:
        """Return ids of pending rows that *view* leaves out for ever."""
        return missed_rows(self._session, self._destination, view)

    def firsts(self, exclusions: Exclusions) -> dict[int, First]:
        """Return the oldest pending row of each shard that has one."""
        with self._session.transaction() as connection:
            return self._firsts(connection, exclusions, blocked=False)

    def measure(self, exclusions: Exclusions) -> Figures:
        """Return the figures; rows of *exclusions* count as held, published ones not at all."""
        with self._session.transaction() as connection:
            published = dict(connection.execute(queries.UNSETTLED).fetchall())
            shards = [
                ShardRows(*row)
                for row in self._filtered(
                    connection, queries.BACKLOG, exclusions, published, blocked=self._block_keys
                )
            ]
            firsts = self._firsts(connection, exclusions, published, blocked=self._block_keys)
            row = connection.execute(queries.MEASURE, {"limit": PARKED_LIMIT}).fetchone()
            left_behind, left_ms = self._former.left_behind(connection, self.watermarks.epoch)
        assert row is not None  # noqa: S101 - a SELECT without FROM has a row
        parked, living, size, dead, xmin_age_seconds, xmin_age_transactions = row
        rows = backlog(shards, COUNT_LIMIT, living - parked)
        created = [f.created_ms for shard, f in firsts.items() if shard not in rows.paused_shards]
        return Figures(
            lag_seconds=self._seconds_since(min([*created, *left_ms], default=self.now_ms)),
            pending=rows.pending,
            held=rows.held,
            paused=rows.paused,
            paused_shards=len(rows.paused_shards),
            left_behind=left_behind,
            parked=parked,
            bytes=size,
            oldest_writer_seconds=self._seconds_since(
                min(self._writers.values(), default=self.now_ms)
            ),
            dead_tuples=dead,
            xmin_age_seconds=xmin_age_seconds,
            xmin_age_transactions=xmin_age_transactions,
        )

    def _firsts(
        self,
        connection: BoundedConnection,
        exclusions: Exclusions,
        unsettled: Mapping[int, str] | None = None,
        *,
        blocked: bool,
    ) -> dict[int, First]:
        found = self._filtered(connection, queries.FIRSTS, exclusions, unsettled, blocked=blocked)
        return {shard - 1: First(id_, created) for shard, id_, created in found}

    def _filtered(
        self,
        connection: BoundedConnection,
        statement: str,
        exclusions: Exclusions,
        unsettled: Mapping[int, str] | None = None,
        *,
        blocked: bool,
    ) -> Sequence[tuple[Any, ...]]:
        watermarks = self.watermarks
        row_filter = RowFilter(self._destination, exclusions, unsettled, watermarks.beside)
        parameters = {
            **row_filter.parameters, "watermarks": watermarks.ids, "resume": watermarks.resume,
            "limit": COUNT_LIMIT,
        }  # fmt: skip
        filtered = row_filter.applied_to(statement, blocked=blocked)
        return connection.execute(filtered, parameters).fetchall()

    def _seconds_since(self, unix_ms: int) -> float:
        return max(0, self.now_ms - unix_ms) / 1000

    def _observe(self) -> tuple[int | None, Lasting]:
        with self._session.transaction() as connection:
            drawn = connection.execute(queries.DRAWN)
            locks = connection.execute(queries.LOCKS)
            counted = drawn.fetchone()
            holders = locks.fetchall()
        if counted is None:
            raise psycopg.OperationalError("outbox_state is empty")
        drawn_id, epoch, self.now_ms = counted
        writers = frozenset(holder for holder, is_lease in holders if not is_lease)
        self.other_leases = len(holders) - len(writers)
        # A relay that deletes holds the same lock, and one on shards beside it.
        leases = {holder for holder, is_lease in holders if is_lease}
        self._writers = {w: self._writers.get(w, self.now_ms) for w in writers - leases}
        sample = Sample(drawn_id, epoch, self.now_ms, writers)
        return self.watermarks.observe(sample), self.watermarks.lasting(sample)
