"""Sampler: measures the outbox for the metrics, on a connection of its own.

So the lag stays true while publishing hangs, and a slow sample slows no row down.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

import psycopg

from relay.daemon.backoff import OUTAGES, reason
from relay.daemon.exclusions import Exclusions, exclusions_of
from relay.daemon.figures import Figures, Report, summed
from relay.daemon.postgres import samples
from relay.daemon.postgres.blind_spot import View
from relay.daemon.postgres.roster import Roster
from relay.daemon.postgres.session import Session
from relay.daemon.postgres.survey import Survey
from relay.daemon.telemetry.process import SamplerInstrumentation
from relay.daemon.timing import Waiter
from relay.database.schema import verify
from relay.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

# Below the watermarks there may be many dead rows: a hundredth of the time is spent there at most.
_PAUSE_PARTS: Final = 100
# They pass, and say nothing of what was measured before. A refusal may be about another table.
_OUTAGES: Final = (psycopg.OperationalError, DatabaseUnavailableError)


class Watched(Protocol):
    """A worker, as the sampler looks after it."""

    @property
    def view(self) -> View | None:
        """The rows that it leaves out for ever."""

    def report(self) -> Report:
        """Return what is known of its work."""

    def look_again(self) -> None:
        """Forget the watermarks before the next lease: rows were found below them."""


class Sampler:
    """Measures lag, counts, dead rows and the transactions that keep them.

    Each time it also gives this relay's sign of life, with what its workers report.
    """

    def __init__(
        self,
        session: Session,
        survey: Survey,
        roster: Roster,
        instrumentation: SamplerInstrumentation,
        seconds: float,
        workers: Sequence[Watched] = (),
    ) -> None:
        self._workers = workers
        self._look_below_at = 0.0
        self._missed = 0
        self._recorded_minute = 0
        self._roster = roster
        self._drain_timed_out = False
        self._fault: str | None = None
        self._measured = False
        # The epoch in which the tables were found to be ours.
        self._verified: str | None = None
        self._session = session
        self._survey = survey
        self._instrumentation = instrumentation
        self._seconds = seconds
        self._waiter = Waiter()

    def stop(self, *, drain_timed_out: bool = False) -> None:
        """Sample no more, and say how this relay ended. Does not wait: a query may hang."""
        self._drain_timed_out = drain_timed_out
        self._waiter.stop()

    def run(self) -> None:
        """Sample until stop() is called."""
        while not self._waiter.stopping:
            try:
                self.sample()
            except OUTAGES as error:
                self._session.close()
                self._fault = reason(error)
                self._instrumentation.failed(outage=isinstance(error, _OUTAGES))
                log.warning("the outbox could not be sampled: %s", self._fault)
            # Until the first one the relay is not ready.
            self._waiter.wait(self._seconds if self._measured else min(1.0, self._seconds))
        # Whoever cannot say that it leaves is found to be dead a little later.
        with suppress(*OUTAGES), self._session.transaction() as connection:
            self._roster.leave(connection, self._report(), drain_timed_out=self._drain_timed_out)
        self._session.close()

    @property
    def unready(self) -> str | None:
        """The reason why the outbox was never measured; None once it was."""
        if self._measured:
            return None
        return f"the outbox was not measured yet: {self._fault or 'starting'}"

    def sample(self) -> None:
        """Measure once.

        Raises:
            psycopg.Error: the database failed.
            DatabaseUnavailableError: it cannot be reached.
            SchemaError: another table has the outbox's name, or one of its parts does not fit.
        """
        survey = self._survey
        if not self._session.connected:
            self._session.connect()
            # The new connection may lead to another server, where ids were drawn less far.
            survey.watermarks.reset()
        if time.monotonic() >= self._look_below_at:
            self._look_below()
        with self._session.transaction() as connection:
            flag = self._roster.sign(connection, self._report())
            self._instrumentation.signed(flag, self._roster.drain_timeouts(connection))
            held = exclusions_of(self._roster.holds(connection))
        survey.refresh_watermarks(Exclusions())
        if survey.watermarks.epoch != self._verified:
            with self._session.transaction() as connection:
                verify(connection)
            self._verified = survey.watermarks.epoch
        figures = survey.measure(held)
        self._instrumentation.sampled(figures)
        self._record(figures)
        self._measured, self._fault = True, None

    def _record(self, figures: Figures) -> None:
        minute = self._survey.now_ms // 60_000
        if minute != self._recorded_minute:
            with self._session.transaction() as connection:
                samples.record(connection, figures)
            self._recorded_minute = minute

    def _report(self) -> Report:
        reports = [worker.report() for worker in self._workers]
        report = summed(reports, self._missed, self._instrumentation.published())
        return replace(report, fault=self._fault or report.fault)

    def _look_below(self) -> None:
        """Look where nobody looks, and let those look again who would never see what is there."""
        begun = time.monotonic()
        survey = self._survey
        own = survey.view(Exclusions())
        missed = set(survey.missed_rows(own))
        if missed:
            survey.watermarks.reset()
        for worker in self._workers:
            view = worker.view
            if view is None or (view == own and not missed):
                continue
            if found := survey.missed_rows(view):
                worker.look_again()
                missed.update(found)
        if missed:
            self._missed += len(missed)
            self._instrumentation.missed(missed)
        ended = time.monotonic()
        self._look_below_at = ended + _PAUSE_PARTS * (ended - begun)
