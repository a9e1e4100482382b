"""From start to exit: the threads of the relay, its signals and its health."""

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from types import FrameType
from typing import Final

import psycopg

from relay.daemon.health import HealthServer
from relay.daemon.sampler import Sampler
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.timing import Deadline, Waiter
from relay.daemon.worker import Worker
from relay.database import schema
from relay.database.connection import CONNECT_SECONDS, connect, explain
from relay.errors import DatabaseUnavailableError, SchemaError
from relay.formats import with_format_defaults
from relay.settings import Settings

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
    return Daemon(settings).run()


class Daemon:
    """The relay process: workers, sampler and health server, until a signal ends them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings = with_format_defaults(settings)
        self._metrics = Metrics()
        self._metrics.enabled.set(settings.streaming)
        self._main = Waiter()
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._sampler = Sampler(settings, self._metrics) if settings.streaming else None
        self._not_ready: str | None = "starting"
        relay = settings.relay
        self._silence_seconds = (
            relay.lease_timeout_seconds
            + relay.backoff_max_seconds
            + 2 * (relay.stall_seconds + CONNECT_SECONDS)
        )
        self._health = HealthServer(
            settings.metrics.host, settings.metrics.port, self._metrics.registry,
            liveness=self._dead, readiness=lambda: self._not_ready,
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
        recorded = not self._settings.database.configured
        while not self._main.stopping:
            recorded = recorded or self._schema_fault() is None
            self._main.wait(_IDLE_SECONDS)

    def _relay(self) -> None:
        # Rows come and go by the thousand and hold no cycles: look for those less often.
        gc.freeze()
        gc.set_threshold(_GC_ALLOCATIONS)
        self._await_schema()
        if self._main.stopping:
            return
        self._workers = [
            Worker(number, self._settings, self._metrics)
            for number in range(self._settings.relay.workers)
        ]
        self._threads = [
            threading.Thread(target=worker.run, name=worker.name, daemon=True)
            for worker in self._workers
        ]
        for thread in self._threads:
            thread.start()
        if self._sampler:
            self._sampler.start()
        self._not_ready = None
        log.info("relaying to %s", self._settings.kafka.event_stream_topic)
        while not self._main.stopping:
            self._main.wait(_TICK_SECONDS)
            self._show_holds()
            if not all(thread.is_alive() for thread in self._threads):
                log.error("a worker ended; the process goes down with it, to be started anew")
                self._exit(1)

    def _await_schema(self) -> None:
        """Wait, not ready, until the database answers and has the tables.

        As a sidecar the relay must not keep its service, which may well migrate, from starting.
        """
        while not self._main.stopping:
            fault = self._schema_fault()
            if fault is None:
                return
            self._not_ready = fault
            log.warning("waiting for the outbox tables: %s", fault)
            self._main.wait(_SCHEMA_SECONDS)

    def _schema_fault(self) -> str | None:
        relay = self._settings.relay
        conninfo = self._settings.database.conninfo()
        try:
            with connect(conninfo, "outbox-relay start", relay.delivery_budget_seconds) as database:
                schema.verify(database)
                schema.record_streaming(database, streaming=self._settings.streaming)
        except (DatabaseUnavailableError, SchemaError) as error:
            return str(error)
        except psycopg.Error as error:
            return explain(error)
        return None

    def _show_holds(self) -> None:
        holds = Counter(p.topic for w in self._workers for p in w.publisher.holds.active)
        self._metrics.show_holds(holds)

    def _dead(self) -> str | None:
        """Liveness is the loops alone: no restart mends Kafka or PostgreSQL."""
        now = time.monotonic()
        for worker in self._workers:
            silent = now - worker.heard_at
            if silent > self._silence_seconds:
                return f"{worker.name} has been silent for {silent:.0f} s"
        return None

    # -- stopping -----------------------------------------------------------------------------

    def _signalled(self, number: int, _: FrameType | None) -> None:
        if self._main.stopping:
            self._exit(128 + number)
        self._main.stop()

    def _stop(self) -> int:
        budget = self._settings.relay.drain_budget_seconds
        log.info("stopping: at most %.0f s to finish what is under way", budget)
        self._not_ready = "stopping"
        for worker in self._workers:
            worker.stop(budget)
        if self._sampler:
            self._sampler.stop()
        deadline = Deadline(budget + _GRACE_SECONDS)
        for thread in self._threads:
            thread.join(deadline.left())
        if any(thread.is_alive() for thread in self._threads):
            self._metrics.drain_timeouts.inc()
            log.warning("stopped with a lease under way after %.0f s; it is taken over", budget)
            self._exit(0)
        self._health.stop()
        log.info("stopped")
        return 0

    @staticmethod
    def _exit(code: int) -> None:
        """Leave at once, past threads that hang in a call."""
        sys.stderr.flush()
        os._exit(code)
