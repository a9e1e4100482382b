"""Samples the outbox for the metrics, on a connection of its own.

So the lag stays true while publishing hangs, and a slow sample slows no row down.
"""

import logging
import threading
from typing import Final

import psycopg

from relay.daemon.backoff import OUTAGES
from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.store import Store
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.timing import Waiter
from relay.database.connection import explain
from relay.settings import Settings

log = logging.getLogger(__name__)

COUNT_LIMIT: Final = 100_000


class Sampler:
    """A thread that measures lag, counts, dead rows and what keeps them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seconds = settings.relay.sample_seconds
        self._store = Store(
            settings.database.conninfo(),
            "outbox-relay sampler",
            settings.relay,
            settings.kafka.event_stream_topic or "",
        )
        self._waiter = Waiter()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Sample no more. Does not wait: the thread may hang in a query."""
        self._waiter.stop()

    def _run(self) -> None:
        while not self._waiter.stopping:
            try:
                self.sample()
            except OUTAGES as error:
                self._store.close()
                self._metrics.sample_failures.inc()
                why = explain(error) if isinstance(error, psycopg.Error) else str(error)
                log.warning("the outbox could not be sampled: %s", why)
            self._waiter.wait(self._seconds)
        self._store.close()

    def sample(self) -> None:
        """Measure once.

        Raises:
            psycopg.Error: the database failed.
            DatabaseUnavailableError: it cannot be reached.
        """
        if not self._store.connected:
            self._store.connect()
        self._store.refresh_watermarks(Exclusions())
        firsts = self._store.firsts(Exclusions())
        oldest_ms = min((first.created_ms for first in firsts.values()), default=None)
        lag_ms = 0 if oldest_ms is None else max(0, self._store.now_ms - oldest_ms)
        figures = self._store.measure(COUNT_LIMIT)
        self._metrics.lag_seconds.set(lag_ms / 1000)
        self._metrics.pending.set(figures.pending)
        self._metrics.parked_rows.set(figures.parked)
        self._metrics.outbox_dead_tuples.set(figures.dead_tuples)
        self._metrics.xmin_age_seconds.set(figures.xmin_age_seconds)
        self._metrics.xmin_age_transactions.set(figures.xmin_age_transactions)
        self._metrics.sampled.set_to_current_time()
