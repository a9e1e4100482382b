"""Survey of the outbox: low watermarks, oldest pending rows, and figures for the metrics."""

from contextlib import nullcontext

import psycopg

from relay.daemon.exclusions import Exclusions
from relay.daemon.figures import Figures
from relay.daemon.postgres import queries
from relay.daemon.postgres.low_watermark import First, LowWatermarks, Sample
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
        if decided is None and not self.watermarks.decided_upto:
            # The first look decides nothing, and leases are short until one does.
            decided = self._observe()
        if decided is not None:
            self.watermarks.raise_to(decided, self.firsts(exclusions))

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
        # A transaction only where it has a search_path to begin with: this is asked when idle, too.
        within = connection.transaction() if connection.search_path() else nullcontext()
        with connection.pipeline(), within:
            drawn = connection.execute(queries.DRAWN)
            locks = connection.execute(queries.LOCKS)
            counted = drawn.fetchone()
            holders = locks.fetchall()
        if counted is None:
            raise psycopg.OperationalError("the outbox has no id sequence")
        drawn_id, requeues, self.now_ms = counted
        writers = frozenset(holder for holder, is_lease in holders if not is_lease)
        self.other_leases = len(holders) - len(writers)
        return self.watermarks.observe(Sample(drawn_id, requeues, self.now_ms, writers))
