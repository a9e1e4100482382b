"""The loop of the relay: claim, publish, settle, wait."""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from relay.daemon.backoff import OUTAGES, patiently
from relay.daemon.kafka.delivery import BrokerUnavailableError, Publisher
from relay.daemon.postgres import crash_isolation
from relay.daemon.postgres.lease import Lease
from relay.daemon.postgres.store import Store
from relay.daemon.telemetry.instrumentation import Instrumentation
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.timing import Deadline, Pace, Waiter
from relay.errors import DatabaseUnavailableError
from relay.settings import Settings

log = logging.getLogger(__name__)

WATERMARK_SECONDS: Final = 1.0
# Where a lease was cut short by what is not decided yet, the next one would be as well.
BUSY_WATERMARK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Round:
    """How one round went: rows read, and whether there is certainly more to do."""

    rows: int
    more: bool


class Worker:
    """One thread's work: a connection, a producer, and the rows between them."""

    def __init__(self, number: int, settings: Settings, metrics: Metrics) -> None:
        relay = settings.relay
        self.name = f"worker-{number}"
        self.waiter = Waiter()
        self.publisher = Publisher(settings, metrics)
        topic = settings.kafka.event_stream_topic or ""
        self._store = Store(settings.database.conninfo(), f"outbox-relay {self.name}", relay, topic)
        self._settings = relay
        self._instrumentation = Instrumentation(metrics, self.name, topic, self.publisher.clock)
        self._pace = Pace(relay.poll_min_seconds, relay.poll_max_seconds)
        self._patiently = patiently(
            self.waiter,
            relay.backoff_max_seconds,
            settings.kafka.bootstrap_server or "",
            settings.database.address(),
        )
        self._deadline = Deadline(0.0)
        self._watermarks_refreshed_at = float("-inf")
        self._watermarks_every = WATERMARK_SECONDS
        self._holds_lifted = 0
        self._only: int | None = None

    def run(self) -> None:
        """Relay rows until stop() is called."""
        while not self.waiter.stopping:
            round_ = self._patiently(self._round)
            if round_ is not None:
                self.waiter.wait(self._pace.after(round_.rows, full=round_.more))
        self.publisher.close()
        self._store.close()

    @property
    def heard_at(self) -> float:
        """The monotonic time of the loop's last sign of life."""
        return self._instrumentation.heard_at

    def stop(self, budget_seconds: float) -> None:
        """Claim nothing more; finish or give up the lease within *budget_seconds*."""
        self.waiter.stop()
        self._deadline.shorten(budget_seconds)

    # -- one round ----------------------------------------------------------------------------

    def _round(self) -> Round:
        self._instrumentation.beat()
        try:
            self._prepare()
            round_ = self._lease()
            self.publisher.verify()
        except OUTAGES as error:
            self._let_go(error)
            raise
        finally:
            self._instrumentation.in_flight(self.publisher.in_flight)
        return round_

    def _prepare(self) -> None:
        if not self._store.connected:
            self._store.connect()
        self.publisher.ready()
        self._instrumentation.broker(up=True)
        holds = self.publisher.holds
        if holds.lifted_total != self._holds_lifted:
            self._holds_lifted = holds.lifted_total
            self._store.watermarks.reset()
        if time.monotonic() >= self._watermarks_refreshed_at + self._watermarks_every:
            self._store.refresh_watermarks(holds.exclusions())
            self.publisher.clock.set(self._store.now_ms)
            self._watermarks_refreshed_at = time.monotonic()
            self._watermarks_every = WATERMARK_SECONDS

    def _lease(self) -> Round:
        begun = time.monotonic()
        only, self._only = self._only, None
        with self._store.lease(self.publisher.holds.exclusions(), only) as lease:
            if lease is None:
                return Round(rows=0, more=only is not None)
            self._instrumentation.claimed(time.monotonic() - begun)
            more = self._on_probation(lease) or self._relay(lease)
        if lease.cut_short:
            self._watermarks_every = BUSY_WATERMARK_SECONDS
        self._instrumentation.lease_ended("broken" if self.publisher.broken else "done")
        return Round(lease.rows, more)

    def _on_probation(self, lease: Lease) -> bool:
        """Return whether the lease was spent on finding a row that kills the relay."""
        if crash_isolation.note_deaths(lease, self._settings.lease_rows):
            shards = sorted(claimed.shard for claimed in lease.claimed if claimed.died)
            log.warning(
                "a relay died, or lost its connection, on shards %s: they go on in small steps",
                shards,
            )
            return True
        suspected = next((c for c in lease.claimed if c.isolated_until is not None), None)
        if suspected is None:
            return False
        if len(lease.claimed) > 1:
            self._only = suspected.shard
            return True
        if killer := crash_isolation.narrow(lease, suspected):
            self._instrumentation.killer(killer)
        return False

    def _relay(self, lease: Lease) -> bool:
        self._deadline = lease.deadline
        if self.waiter.stopping:
            return False
        begun = time.monotonic()
        self.publisher.begin(lease.deadline, lease.alive)
        for rows in lease.chunks():
            self.publisher.send(rows)
            self._settle(lease)
            self._instrumentation.chunk(len(rows), self.publisher.in_flight)
            if self.publisher.broken or self.waiter.stopping:
                break
        self.publisher.finish()
        self._settle(lease)
        self._instrumentation.published(time.monotonic() - begun)
        return lease.full

    def _settle(self, lease: Lease) -> None:
        outcomes = self.publisher.settled()
        lease.settle(outcomes)
        self._instrumentation.settled(outcomes)

    def _let_go(self, error: BaseException) -> None:
        """Drop what belongs to a lease that is lost, or cannot begin."""
        if isinstance(error, BrokerUnavailableError):
            self._instrumentation.broker(up=False)
            return
        self.publisher.close()
        self._store.close()
        self._instrumentation.lease_ended("lost")
        if not isinstance(error, DatabaseUnavailableError):
            # Without the pause of the next attempt: before another relay takes this one for dead.
            with suppress(*OUTAGES):
                self._store.connect()
