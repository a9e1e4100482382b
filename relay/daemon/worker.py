"""The loop of the relay: claim, publish, settle, wait."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

import psycopg

from relay.daemon.backoff import OUTAGES, Backoff, reason
from relay.daemon.exclusions import Exclusions
from relay.daemon.figures import DOORBELL, POLL, Report
from relay.daemon.kafka.publisher import Publisher
from relay.daemon.kafka.topics import Topic
from relay.daemon.postgres.blind_spot import View
from relay.daemon.postgres.crash_isolation import Deaths, Step, TakeAlone, isolate
from relay.daemon.postgres.lease import Lease
from relay.daemon.postgres.store import Store
from relay.daemon.postgres.unreadable import VALUE_FAULTS
from relay.daemon.rows import Delivered, Outcome, Rejected
from relay.daemon.state import BrokerError, Hold
from relay.daemon.telemetry.instrumentation import LeaseEnd, WorkerInstrumentation
from relay.daemon.timing import DatabaseClock, Interval, Waiter
from relay.daemon.wake_up import WakeUp
from relay.errors import BrokerUnavailableError, DatabaseUnavailableError

WATERMARK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the loop: rows read, and whether there is certainly more to do.

    *quiet*: all that could be seen was done, so that only what is still to come needs a round.
    """

    rows: int
    more: bool
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Waits of a worker: for a stop, between leases, and in an outage."""

    waiter: Waiter
    wake_up: WakeUp
    backoff: Backoff


class WorkerState(NamedTuple):
    """State of a worker for other threads: its last sign of life is monotonic."""

    heard_at: float
    holds: Sequence[Hold] = ()
    broker_errors: Sequence[BrokerError] = ()
    view: View | None = None
    published: int = 0
    parked: int = 0
    leased_shards: int = 0
    by_bell: bool = False
    topics: Sequence[Topic] = ()
    fault: str | None = None

    def report(self) -> Report:
        """Return what goes into outbox_relay."""
        return Report(
            self.published,
            self.parked,
            self.leased_shards,
            holds=[hold.as_json() for hold in self.holds],
            broker_errors=[error.as_json() for error in self.broker_errors],
            topics=[topic.as_json() for topic in self.topics],
            fault=self.fault,
            wake_up=DOORBELL if self.by_bell else POLL,
        )


class Worker:
    """One thread's work: a connection, a producer, and the rows between them.

    Other threads read *name* and *state*, which is replaced and never changed, and call stop() and
    look_again().
    """

    def __init__(
        self,
        name: str,
        store: Store,
        publisher: Publisher,
        instrumentation: WorkerInstrumentation,
        waiting: Waiting,
    ) -> None:
        self.name = name
        self.state = WorkerState(time.monotonic())
        self._store = store
        self._publisher = publisher
        self._instrumentation = instrumentation
        self._waiting = waiting
        self._waiter = waiting.waiter
        self._wake_up = waiting.wake_up
        self._clock = DatabaseClock()
        self._watermarks = Interval(WATERMARK_SECONDS)
        self._holds_lifted = 0
        self._view: View | None = None
        self._look_again = threading.Event()
        self._published = self._parked = self._leased_shards = 0
        # Isolated shards that the next leases take alone, one after the other.
        self._alone: list[int] = []
        # What the database refused in the last round.
        self._fault: str | None = None

    def run(self) -> None:
        """Relay rows until stop() is called."""
        while not self._waiter.stopping:
            round_ = self._waiting.backoff(self.round)
            if round_ is not None:
                self._wake_up.rest(round_.rows, more=round_.more, quiet=round_.quiet)
        self.close()

    def stop(self, budget_seconds: float) -> None:
        """Claim nothing more; finish or give up the lease within *budget_seconds*."""
        self._waiter.stop(budget_seconds)

    @property
    def view(self) -> View | None:
        """The rows that this worker leaves out for ever, as last refreshed."""
        return self.state.view

    def report(self) -> Report:
        """Return what is known of this worker's work, for other threads."""
        return self.state.report()

    def look_again(self) -> None:
        """Forget the watermarks before the next lease: rows were found below them."""
        self._look_again.set()
        self._waiter.wake()

    def close(self) -> None:
        """Let go of the producer and the connection."""
        self._wake_up.close()
        self._publisher.close()
        self._store.close()

    def round(self) -> Round:
        """Claim a lease, publish its rows and settle them.

        Raises:
            BrokerUnavailableError: Kafka cannot be reached, or refuses the producer.
            DatabaseUnavailableError: PostgreSQL cannot be reached.
            psycopg.Error: it failed.
        """
        try:
            self._prepare()
            round_ = Round(0, more=False, quiet=True) if self._idle() else self._lease()
            self._publisher.raise_for_refusal()
            self._fault = None
        except (*VALUE_FAULTS, *OUTAGES) as error:
            self._let_go(error)
            round_ = self._set_aside(error)
        finally:
            self._leased_shards = 0
            self._instrumentation.in_flight(self._publisher.in_flight)
            self._show_state()
        return round_

    # -- one round ----------------------------------------------------------------------------

    def _prepare(self) -> None:
        if not self._store.connected:
            self._store.connect()
        self._publisher.ready()
        self._instrumentation.broker(up=self._publisher.reachable)
        holds = self._publisher.holds
        if holds.lifted_total != self._holds_lifted:
            self._holds_lifted = holds.lifted_total
            self._store.look_again()
        if self._look_again.is_set():
            self._look_again.clear()
            self._store.look_again()

    def _idle(self) -> bool:
        """Return whether there is certainly nothing to do."""
        if not self._wake_up.rang and self._store.nothing_new():
            return True
        if self._store.knows_all:
            return False
        if not (self._watermarks.due or self._store.resume_lost()):
            return False
        self._view = self._store.refresh_watermarks(self._publisher.holds.exclusions())
        self._clock.set(self._store.now_ms)
        self._watermarks.restart()
        self._note_left()
        return self._store.empty

    def _lease(self) -> Round:
        begun = time.monotonic()
        only = self._alone.pop() if self._alone else None
        publisher = self._publisher
        with self._store.lease(
            publisher.holds.exclusions(), only, publisher.sendable_bytes,
            short=publisher.trial_is_due,
        ) as lease:  # fmt: skip
            if lease is None:
                held = self._publisher.holds.exclusions() != Exclusions()
                return Round(rows=0, more=only is not None, quiet=only is None and not held)
            self._instrumentation.claimed(time.monotonic() - begun)
            self._leased_shards = len(lease.claimed)
            isolated = any(claimed.isolated_until is not None for claimed in lease.claimed)
            more = self._isolate(lease) or self._relay(lease) or bool(self._alone)
        broken = self._publisher.broken
        self._instrumentation.lease_ended(LeaseEnd.BROKEN if broken else LeaseEnd.DONE)
        self._note_left()
        quiet = not (more or broken or isolated) and self._store.exhausted(lease)
        return Round(lease.progress.rows, more, quiet)

    def _isolate(self, lease: Lease) -> bool:
        """Return whether the lease was spent on crash isolation."""
        match isolate(lease):
            case None:
                return False
            case Deaths(shards):
                self._instrumentation.deaths(shards)
                return True
            case TakeAlone(shards):
                self._alone = list(shards)
                return True
            case Step(parked):
                if parked is not None:
                    self._parked += 1
                    self._instrumentation.crashing_row_parked(parked)
                return False
            case isolation:
                assert_never(isolation)

    def _relay(self, lease: Lease) -> bool:
        """Publish and settle the rows of *lease*; return whether it was full."""
        if self._waiter.stopping:
            return False
        begun = time.monotonic()
        with self._publisher.delivery(lease.deadline, lambda: self._may_go_on(lease)) as delivery:
            for rows in lease.chunks():
                delivery.send(rows, self._clock.now_ms())
                self._settle(lease, delivery.settled())
                self._instrumentation.chunk(len(rows), delivery.in_flight)
                self._show_state()
                if delivery.broken or self._waiter.stopping:
                    break
            self._settle(lease, delivery.finish())
        self._instrumentation.published(time.monotonic() - begun)
        return lease.progress.full

    def _set_aside(self, error: Exception) -> Round:
        """Set aside the rows that broke the lease. If there are none, it is an outage."""
        if parked := self._note_left():
            return Round(parked, more=True)
        if not isinstance(error, VALUE_FAULTS):
            raise error
        unreadable = self._store.park_unreadable()
        if not unreadable:
            raise psycopg.DatabaseError(type(error).__name__) from error
        self._instrumentation.unreadable(unreadable)
        return Round(rows=len(unreadable), more=True)

    def _note_left(self) -> int:
        """Show which published rows could not be deleted; return how many of them are parked."""
        self._instrumentation.locked(self._store.locked)
        if kept := self._store.take_kept():
            self._parked += len(kept)
            self._instrumentation.kept(kept)
        return len(kept)

    def _settle(self, lease: Lease, outcomes: Sequence[Outcome]) -> None:
        lease.settle(outcomes)
        for outcome in outcomes:
            match outcome:
                case Delivered(rows):
                    self._published += len(rows)
                case Rejected():
                    self._parked += 1
                case _:
                    pass
        self._instrumentation.settled(outcomes, self._clock.now_ms())

    def _may_go_on(self, lease: Lease) -> bool:
        return not self._waiter.overdue and lease.alive()

    def _show_state(self) -> None:
        publisher = self._publisher
        self.state = WorkerState(
            time.monotonic(), publisher.holds.shown, publisher.broker_errors, self._view,
            self._published, self._parked, self._leased_shards, self._wake_up.by_bell,
            publisher.topics, self._fault,
        )  # fmt: skip
        self._instrumentation.beat()

    def _let_go(self, error: BaseException) -> None:
        """Drop what belongs to a lease that is lost, or cannot begin."""
        if isinstance(error, BrokerUnavailableError):
            self._instrumentation.broker(up=False)
            # The database was used before.
            self._fault = None
            return
        self._fault = reason(error)
        self._instrumentation.lease_lost(self._store.lost_rows)
        self.close()
        if not isinstance(error, DatabaseUnavailableError):
            # Without the pause of the next attempt: before another relay takes this one for dead.
            with suppress(*OUTAGES):
                self._store.connect()
