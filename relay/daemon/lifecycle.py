"""Life of the relay process, from start to exit: its threads, signals and health."""

import gc
import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import Final, NoReturn

from relay.daemon.assembly import make_roster
from relay.daemon.crew import Crew
from relay.daemon.health import HealthServer
from relay.daemon.startup import SchemaCheck
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.telemetry.process import ProcessInstrumentation
from relay.daemon.threads import WatchedThread, cause, stack
from relay.daemon.timing import Waiter
from relay.errors import RelayError
from relay.formats import with_format_defaults
from relay.settings import Settings

log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0
_GC_ALLOCATIONS: Final = 50_000
_IDLE_SECONDS: Final = 30.0
_SCHEMA_SECONDS: Final = 2.0
# Of the main thread, which ticks; the longest wait of it is that for a connection.
_SILENCE_MAX_SECONDS: Final = 120.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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
        metrics = Metrics(settings.database.outbox())
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
        self._ticked_at = time.monotonic()
        self._told: set[int] = set()
        self._health = HealthServer(
            settings.metrics.host, settings.metrics.port, metrics.registry,
            liveness=self._silence,
            readiness=self._unready,
        )  # fmt: skip

    def run(self) -> int:
        """Serve until a signal; return 0."""
        for number in _SIGNALS:
            # Where it is ignored, as nohup does, it stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        try:
            self._health.start()
            log.info("metrics and health on port %d", self._health.port)
            if self._settings.streaming:
                self._relay()
            else:
                self._idle()
            return self._stop()
        except RelayError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the log says so
            _die("the main thread", error)

    # -- running ------------------------------------------------------------------------------

    def _idle(self) -> None:
        log.debug("the event stream is not configured: ENABLE_EVENT_STREAMING is off")
        self._not_ready = None
        while not self._waiter.stopping:
            if self._settings.database.configured:
                self._schema.fault()
            if self._schema.flag is not None:
                self._instrumentation.flag(self._schema.flag)
            self._wait(_IDLE_SECONDS)
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
            self._wait(_TICK_SECONDS)
            self._instrumentation.holds(crew.topics_on_hold())
            self._instrumentation.failing_brokers(crew.failing_brokers())

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
            self._wait(_SCHEMA_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Wait, and end the process if one of its threads has ended."""
        self._ticked_at = time.monotonic()
        self._waiter.wait(seconds)
        if dead := self._dead():
            _die(dead.name, dead.error)

    def _dead(self) -> WatchedThread | None:
        health = self._health.thread
        if health and not health.is_alive():
            return health
        return self._crew.dead() if self._crew else None

    def _unready(self) -> str | None:
        """Return what this relay is not ready for, or None."""
        return self._not_ready or (self._crew.unready() if self._crew else None)

    def _silence(self) -> str | None:
        """Return the complaint about a thread that has been silent for too long, or None."""
        silent = time.monotonic() - self._ticked_at
        if silent > _SILENCE_MAX_SECONDS and not self._waiter.stopping:
            return f"the main thread has been silent for {silent:.0f} s"
        return self._crew.silence() if self._crew else None

    # -- stopping -----------------------------------------------------------------------------

    def _signalled(self, number: int, _: FrameType | None) -> None:
        # Who repeats it is in a hurry; a supervisor that sends SIGHUP beside SIGTERM is not.
        if number in self._told:
            _exit(128 + number)
        self._told.add(number)
        self._waiter.stop()

    def _stop(self) -> int:
        budget = self._settings.relay.drain_budget_seconds
        log.info("stopping: at most %.0f s to finish what is under way", budget)
        self._not_ready = "stopping"
        if self._crew and not self._crew.stop(budget):
            log.warning("stopped with a lease under way after %.0f s; it is taken over", budget)
            _exit(0)
        if dead := self._dead():
            _die(dead.name, dead.error)
        self._health.stop()
        log.info("stopped")
        return 0


def _die(who: str, error: BaseException | None) -> NoReturn:
    """End the process because a thread of it cannot go on; the log's last line says so."""
    if error is not None:
        log.error("%s failed unexpectedly", who, extra={"stack": stack(error)})
    log.error(
        "%s died of %s; nothing is lost: rows that were under way wait, or are sent again. "
        "The relay ends with exit code 1, for its supervisor to start it anew",
        who, cause(error),
    )  # fmt: skip
    _exit(1)


def _exit(code: int) -> NoReturn:
    """Leave at once, past threads that hang in a call."""
    sys.stderr.flush()
    os._exit(code)
