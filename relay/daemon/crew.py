"""Crew: the threads that relay, workers and the sampler beside them."""

import time
from typing import Final

from relay.daemon.assembly import make_sampler, make_worker
from relay.daemon.postgres.roster import Roster
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.threads import WatchedThread
from relay.daemon.timing import Deadline
from relay.database.connection import CONNECT_SECONDS
from relay.settings import RelaySettings, Settings

# How long after its budget a worker may still be busy closing its connections.
_GRACE_SECONDS: Final = 2.0
# For the sampler's last words; a query of it may hang.
_LEAVE_SECONDS: Final = 1.0


class Crew:
    """The threads that relay: workers, and the sampler beside them."""

    def __init__(self, settings: Settings, metrics: Metrics, roster: Roster) -> None:
        self._workers = tuple(
            make_worker(number, settings, metrics) for number in range(settings.relay.workers)
        )
        self._stopping = False
        self._threads = tuple(WatchedThread(worker.name, worker.run) for worker in self._workers)
        self._sampler = make_sampler(settings, metrics, roster, self._workers)
        self._sampling = WatchedThread("the sampler", self._sampler.run)
        self.silence_max_seconds = _silence_max_seconds(settings.relay)

    def start(self) -> None:
        """Start all threads."""
        for thread in (*self._threads, self._sampling):
            thread.start()

    def dead(self) -> WatchedThread | None:
        """Return a thread that has ended though nobody asked it to, or by an error."""
        for thread in (*self._threads, self._sampling):
            if not thread.is_alive() and (thread.error or not self._stopping):
                return thread
        return None

    def stop(self, budget_seconds: float) -> bool:
        """Let the workers finish within the budget; return whether all did."""
        self._stopping = True
        for worker in self._workers:
            worker.stop(budget_seconds)
        deadline = Deadline(budget_seconds + _GRACE_SECONDS)
        for thread in self._threads:
            thread.join(deadline.left())
        drained = not any(thread.is_alive() for thread in self._threads)
        self._sampler.stop(drain_timed_out=not drained)
        self._sampling.join(_LEAVE_SECONDS)
        return drained

    def unready(self) -> str | None:
        """Return the reason why nobody can say how the outbox is; None once it was measured."""
        return self._sampler.unready

    def topics_on_hold(self) -> list[str]:
        """Return the topic of each hold."""
        return [hold.topic_partition.topic for w in self._workers for hold in w.state.holds]

    def failing_brokers(self) -> set[str]:
        """Return the address of each broker whose last error is current."""
        return {e.address for w in self._workers for e in w.state.broker_errors if e.address}

    def silence(self) -> str | None:
        """Return the complaint about a worker that has been silent for too long, or None.

        Liveness is the loops alone: no restart mends Kafka or PostgreSQL.
        """
        now = time.monotonic()
        for worker in self._workers:
            silent = now - worker.state.heard_at
            if silent > self.silence_max_seconds:
                return f"{worker.name} has been silent for {silent:.0f} s"
        return None


def _silence_max_seconds(relay: RelaySettings) -> float:
    return (
        relay.lease_timeout_seconds
        + relay.backoff_max_seconds
        + 2 * (relay.stall_seconds + CONNECT_SECONDS)
    )
