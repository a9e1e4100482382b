"""Life of the relay process, from start to exit: its threads, signals and health."""

import gc
import logging
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Final

from relay.daemon.assembly import make_roster, make_sampler, make_worker
from relay.daemon.health import HealthServer
from relay.daemon.postgres.roster import Roster
from relay.daemon.startup import SchemaCheck
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.telemetry.process import ProcessInstrumentation
from relay.daemon.timing import Deadline, Waiter
from relay.database.connection import CONNECT_SECONDS
from relay.formats import with_format_defaults
from relay.settings import RelaySettings, Settings

log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0
_GC_ALLOCATIONS: Final = 50_000
_IDLE_SECONDS: Final = 30.0
_SCHEMA_SECONDS: Final = 2.0
# How long after its budget a worker may still be busy closing its connections.
_GRACE_SECONDS: Final = 2.0


def run(settings: Settings) -> int:
    """Run the relay in this process until SIGTERM or SIGINT; return its exit code.

    Raises:
        ConfigurationError: the port is taken.
    """
    return Daemon(with_format_defaults(settings)).run()


class Daemon:
    """The relay process: workers, sampler and health server, until a signal ends them."""

    def __init__(self, settings: Settings) -> None:
        relay = settings.relay
        metrics = Metrics()
        self._settings = settings
        self._instrumentation = ProcessInstrumentation(metrics)
        self._instrumentation.streaming(enabled=settings.streaming)
        self._roster = make_roster(
            settings, relay.sample_seconds if settings.streaming else _IDLE_SECONDS
        )
        self._schema = SchemaCheck(
            settings.database.conninfo(), relay.delivery_budget_seconds, self._roster,
            settings.database.outbox_schema,
        )  # fmt: skip
        self._waiter = Waiter()
        self._metrics = metrics
        self._crew: Crew | None = None
        self._not_ready: str | None = "starting"
        self._health = HealthServer(
            settings.metrics.host, settings.metrics.port, metrics.registry,
            liveness=lambda: self._crew.silence() if self._crew else None,
            readiness=lambda: self._not_ready,
        )  # fmt: skip

    def run(self) -> int:
        """Serve until a signal; return 0."""
        self._health.start()
        log.info("metrics and health on port %d", self._health.port)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        if self._settings.streaming:
            self._relay()
        else:
            self._idle()
        return self._stop()

    # -- running ------------------------------------------------------------------------------

    def _idle(self) -> None:
        log.debug("the event stream is not configured: ENABLE_EVENT_STREAMING is off")
        self._not_ready = None
        while not self._waiter.stopping:
            if self._settings.database.configured:
                self._schema.fault()
            if self._schema.flag is not None:
                self._instrumentation.flag(self._schema.flag)
            self._waiter.wait(_IDLE_SECONDS)
        self._schema.leave()

    def _relay(self) -> None:
        # Rows come and go by the thousand and hold no cycles: look for those less often.
        gc.freeze()
        gc.set_threshold(_GC_ALLOCATIONS)
        self._await_schema()
        if self._waiter.stopping:
            return
        crew = self._crew = Crew(self._settings, self._metrics, self._roster)
        crew.start()
        self._not_ready = None
        log.info("relaying to %s", self._settings.kafka.event_stream_topic)
        while not self._waiter.stopping:
            self._waiter.wait(_TICK_SECONDS)
            self._instrumentation.holds(crew.topics_on_hold())
            self._instrumentation.failing_brokers(crew.failing_brokers())
            if not crew.complete:
                log.error("a worker ended; the process goes down with it, to be started anew")
                _exit(1)

    def _await_schema(self) -> None:
        """Wait, not ready, until the database answers and has the tables.

        As a sidecar the relay must not keep its service, which may well migrate, from starting.
        """
        while not self._waiter.stopping:
            fault = self._schema.fault()
            if fault is None:
                return
            self._not_ready = fault
            log.warning("waiting for the outbox tables: %s", fault)
            self._waiter.wait(_SCHEMA_SECONDS)

    # -- stopping -----------------------------------------------------------------------------

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if self._waiter.stopping:
            _exit(128 + number)
        self._waiter.stop()

    def _stop(self) -> int:
        budget = self._settings.relay.drain_budget_seconds
        log.info("stopping: at most %.0f s to finish what is under way", budget)
        self._not_ready = "stopping"
        if self._crew and not self._crew.stop(budget):
            self._instrumentation.drain_timed_out()
            log.warning("stopped with a lease under way after %.0f s; it is taken over", budget)
            _exit(0)
        self._health.stop()
        log.info("stopped")
        return 0


class Crew:
    """The threads that relay: workers, and the sampler beside them."""

    def __init__(self, settings: Settings, metrics: Metrics, roster: Roster) -> None:
        self._workers = tuple(
            make_worker(number, settings, metrics) for number in range(settings.relay.workers)
        )
        self._threads = tuple(
            threading.Thread(target=worker.run, name=worker.name, daemon=True)
            for worker in self._workers
        )
        self._sampler = make_sampler(settings, metrics, roster, self._workers)
        self._silence_max_seconds = _silence_max_seconds(settings.relay)

    @property
    def complete(self) -> bool:
        """True while every worker is at work."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()
        self._sampler.start()

    def stop(self, budget_seconds: float) -> bool:
        """Let the workers finish within the budget; return whether all did."""
        for worker in self._workers:
            worker.stop(budget_seconds)
        deadline = Deadline(budget_seconds + _GRACE_SECONDS)
        for thread in self._threads:
            thread.join(deadline.left())
        drained = not any(thread.is_alive() for thread in self._threads)
        self._sampler.stop(drain_timed_out=not drained)
        return drained

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
            if silent > self._silence_max_seconds:
                return f"{worker.name} has been silent for {silent:.0f} s"
        return None


def _silence_max_seconds(relay: RelaySettings) -> float:
    return (
        relay.lease_timeout_seconds
        + relay.backoff_max_seconds
        + 2 * (relay.stall_seconds + CONNECT_SECONDS)
    )


def _exit(code: int) -> None:
    """Leave at once, past threads that hang in a call."""
    sys.stderr.flush()
    os._exit(code)
