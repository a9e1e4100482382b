"""The outbox as a worker sees it: one connection, one method a step of the protocol."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.postgres.lease import Claimed, Lease
from relay.daemon.postgres.low_watermark import First, LowWatermarks, Sample
from relay.daemon.postgres.pipeline_cursor import PunctuatedCursor
from relay.database.connection import BoundedConnection, connect
from relay.settings import SHARDS, RelaySettings


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sample counts. Ages are of what keeps dead rows from being vacuumed."""

    pending: int
    parked: int
    dead_tuples: int
    xmin_age_seconds: float
    xmin_age_transactions: int


class Store:
    """Claims leases and keeps the watermarks.

    Every method raises ``psycopg.Error`` when the database fails; close() then, and the next call
    connects again.
    """

    def __init__(self, conninfo: str, name: str, settings: RelaySettings, topic: str) -> None:
        self._conninfo = conninfo
        self._name = name
        self._settings = settings
        self._topic = topic
        self._connection: BoundedConnection | None = None
        self._last = -1
        # The shards of leases that ended without a commit, by transaction.
        self._lost: dict[int, list[int]] = {}
        # Of other relays, when the watermarks were refreshed.
        self._other_leases = 0
        self.watermarks = LowWatermarks()
        self.now_ms = 0

    @property
    def connected(self) -> bool:
        """Return whether there is a connection that was not found broken."""
        return self._connection is not None and not self._connection.closed

    def connect(self) -> None:
        """Connect anew, and show that this relay did not die of the leases that it lost.

        Raises:
            DatabaseUnavailableError: the reason.
        """
        self.close()
        patience = self._settings.delivery_budget_seconds
        self._connection = connect(self._conninfo, self._name, patience, PunctuatedCursor)
        # The new connection may lead to another server, where ids were drawn less far.
        self.watermarks.reset()
        self._survive(self._connection)

    def close(self) -> None:
        """Close the connection; a lease that is open ends without a commit."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def lease(self, exclusions: Exclusions, only: int | None = None) -> Iterator[Lease | None]:
        """Lock shards with pending rows, or *only* one shard; None where there is nothing to do.

        All statements of a lease go through one pipeline, so that the database works on one while
        the last result is published. Commits at the end of the block, unless it is left by an
        exception.
        """
        connection = self._open()
        lease = None
        with connection.pipeline():
            claimed = self._claim(connection, exclusions, only)
            if claimed:
                if only is None:
                    self._last = claimed[-1].shard
                lease = Lease(
                    connection, claimed, exclusions, self._settings, self._topic,
                    self.watermarks.decided_upto,
                )  # fmt: skip
            try:
                yield lease
                connection.execute(queries.COMMIT)
            except psycopg.Error:
                if claimed:
                    self._lost[claimed[0].transaction] = [c.shard for c in claimed]
                raise
        # Rows held back by a parked one of their key are not read; watermarks must not pass them.
        if lease and lease.settled_rows == lease.rows and not self._settings.block_keys:
            self.watermarks.passed(lease.read_upto)

    def refresh_watermarks(self, exclusions: Exclusions) -> None:
        """Raise the watermarks as far as is proven."""
        connection = self._open()
        decided = self._observe(connection)
        if decided is None and not self.watermarks.decided_upto:
            # The first look decides nothing, and leases are short until one does.
            decided = self._observe(connection)
        if decided is not None:
            self.watermarks.raise_to(decided, self.firsts(exclusions))

    def firsts(self, exclusions: Exclusions) -> dict[int, First]:
        """Return the oldest pending row of each shard that has one."""
        connection = self._open()
        statement = queries.with_exclusions(
            queries.FIRSTS, topics=bool(exclusions.topics), partitions=bool(exclusions.partitions)
        )
        with connection.transaction():
            connection.execute(queries.LEASE_SETTINGS, self._lease_settings())
            found = connection.execute(statement, {
                **exclusions.parameters,
                "watermarks": self.watermarks.ids,
                "topic": self._topic,
                "partitioner": self._settings.partitioner,
            })  # fmt: skip
            return {shard - 1: First(id_, created) for shard, id_, created in found}

    def measure(self, limit: int) -> Figures:
        """Return the counts, none above *limit*."""
        connection = self._open()
        with connection.transaction():
            connection.execute(queries.LEASE_SETTINGS, self._lease_settings())
            parameters = {"watermarks": self.watermarks.ids, "limit": limit}
            row = connection.execute(queries.MEASURE, parameters).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM has a row
        return Figures(*row)

    def _observe(self, connection: BoundedConnection) -> int | None:
        with connection.pipeline():
            drawn = connection.execute(queries.DRAWN)
            locks = connection.execute(queries.LOCKS)
            counted = drawn.fetchone()
            holders = locks.fetchall()
        if counted is None:
            raise psycopg.OperationalError("the outbox has no id sequence")
        drawn_id, requeues, now_ms = counted
        self.now_ms = now_ms
        writers = frozenset(holder for holder, is_lease in holders if not is_lease)
        self._other_leases = len(holders) - len(writers)
        return self.watermarks.observe(Sample(drawn_id, requeues, now_ms, writers))

    def _claim(
        self, connection: BoundedConnection, exclusions: Exclusions, only: int | None
    ) -> Sequence[Claimed]:
        connection.execute(queries.BEGIN)
        connection.execute(queries.LEASE_SETTINGS, self._lease_settings())
        statement = queries.with_exclusions(
            queries.CLAIM, topics=bool(exclusions.topics), partitions=bool(exclusions.partitions)
        )
        asked = connection.execute(statement, {
            **exclusions.parameters,
            "only": only,
            "requeues": self.watermarks.requeues,
            "watermarks": self.watermarks.ids,
            "last": self._last % SHARDS,
            "shards": self._share(),
            "topic": self._topic,
            "partitioner": self._settings.partitioner,
        })  # fmt: skip
        found = asked.fetchall()
        if found and found[0][3] != self.watermarks.requeues:
            self.watermarks.reset()
        return [
            Claimed(shard, self.watermarks.ids[shard], probation, died, holder, transaction)
            for shard, probation, died, _, holder, transaction in found
        ]

    def _share(self) -> int:
        """Return how many shards to lock: relays share them, and leave room for one more."""
        if not self._other_leases:
            return self._settings.lease_shards
        return min(self._settings.lease_shards, SHARDS // (self._other_leases + 2))

    def _survive(self, connection: BoundedConnection) -> None:
        """Take the marks of a death from the leases that were lost: this relay lives."""
        for transaction, shards in list(self._lost.items()):
            lost = {"transaction": transaction, "shards": shards}
            with connection.transaction():
                connection.execute(queries.LEASE_SETTINGS, self._lease_settings())
                connection.execute(queries.SURVIVE, lost)
                connection.execute(queries.FORGIVE, lost | {"transaction": str(transaction)})
            del self._lost[transaction]

    def _lease_settings(self) -> dict[str, object]:
        timeout_ms = int(self._settings.lease_timeout_seconds * 1000)
        return {"timeout_ms": str(timeout_ms), "application_name": self._name}

    def _open(self) -> BoundedConnection:
        if self._connection is None:
            raise psycopg.OperationalError("not connected")
        return self._connection
