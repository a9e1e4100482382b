"""Survey of the outbox: low watermarks, oldest pending rows, and figures for the metrics."""

from collections.abc import Sequence

import psycopg

from relay.daemon.exclusions import Exclusions
from relay.daemon.figures import Figures
from relay.daemon.postgres import queries
from relay.daemon.postgres.blind_spot import View, missed_rows
from relay.daemon.postgres.low_watermark import LOWEST_ID, First, LowWatermarks, Sample
from relay.daemon.postgres.row_filter import Destination, RowFilter
from relay.daemon.postgres.session import Session


class Survey:
    """Looks at the outbox without locking anything. Raises ``psycopg.Error``."""

    def __init__(self, session: Session, destination: Destination) -> None:
        self._session = session
        self._destination = destination
        self.watermarks = LowWatermarks()
        # As of the last refresh: the database's time, and the leases of other workers.
        self.now_ms = 0
        self.other_leases = 0

    def refresh_watermarks(self, exclusions: Exclusions) -> None:
        """Raise the watermarks as far as is proven."""
        decided = self._observe()
        if decided is None and self.watermarks.decided_upto == LOWEST_ID:
            # The first look decides nothing, and leases are short until one does.
            decided = self._observe()
        if decided is not None:
            self.watermarks.raise_to(decided, self.firsts(exclusions))

    def view(self, exclusions: Exclusions) -> View:
        """Return the watermarks as they are, if they rose under these *exclusions*."""
        return View(self.watermarks.epoch, tuple(self.watermarks.ids), exclusions)

    def missed_rows(self, view: View) -> Sequence[int]:
        """Return ids of pending rows that *view* leaves out for ever."""
        return missed_rows(self._session, self._destination, view)

    def firsts(self, exclusions: Exclusions) -> dict[int, First]:
        """Return the oldest pending row of each shard that has one."""
        row_filter = RowFilter(self._destination, exclusions)
        parameters = {**row_filter.parameters, "watermarks": self.watermarks.ids}
        with self._session.transaction() as connection:
            found = connection.execute(row_filter.applied_to(queries.FIRSTS), parameters)
            return {shard - 1: First(id_, created) for shard, id_, created in found}

    def measure(self, limit: int) -> Figures:
        """Return the counts, none above *limit*."""
        parameters = {"watermarks": self.watermarks.ids, "limit": limit}
        with self._session.transaction() as connection:
            row = connection.execute(queries.MEASURE, parameters).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has a row
        return Figures(*row)

    def _observe(self) -> int | None:
        connection = self._session.connection
        # Not without: alone, a statement has the isolation level that user or database prefer.
        with connection.pipeline(), connection.transaction():
            drawn = connection.execute(queries.DRAWN)
            locks = connection.execute(queries.LOCKS)
            counted = drawn.fetchone()
            holders = locks.fetchall()
        if counted is None:
            raise psycopg.OperationalError("the outbox has no id sequence")
        drawn_id, epoch, self.now_ms = counted
        writers = frozenset(holder for holder, is_lease in holders if not is_lease)
        self.other_leases = len(holders) - len(writers)
        return self.watermarks.observe(Sample(drawn_id, epoch, self.now_ms, writers))
