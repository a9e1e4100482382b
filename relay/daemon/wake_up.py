"""Wake-up: how a worker learns of new rows, by the doorbell while little happens, else by polling.

No wake-up is lost. A writer that began before the bell was set does not ring, so a worker that has
set it polls on until every writer that is open then has ended, looks once more, and only then
sleeps. While the bell stays set, later writers ring. A look each second makes up for whatever
nobody thought of, and for a bell that is not set any more until a check finds that out.
"""

import logging
from contextlib import suppress
from enum import Enum, auto
from typing import Final, Protocol

import psycopg

from relay.daemon.postgres.doorbell import RINGS_SECONDS
from relay.daemon.timing import Interval, Pace, Waiter, boot_seconds
from relay.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
# Of whether writers ring: only a relay under load stops them, and that one is awake.
_CHECK_SECONDS: Final = 5.0
_RENEW_SECONDS: Final = RINGS_SECONDS / 2
_RETRY_SECONDS: Final = (30.0, 60.0, 120.0, 300.0, 600.0)
# Of rings: what a relay under load hears at most, and how many may come at once.
_RINGS_PER_SECOND: Final = 250.0
_RINGS_AT_ONCE: Final = 25.0
# Of rows: as long as so many come, the relay stays under load.
_ROWS_PER_SECOND: Final = 150
_TROUBLE: Final = (psycopg.Error, DatabaseUnavailableError)


class Bell(Protocol):
    """A doorbell, as it is used here: see `relay.daemon.postgres.doorbell`."""

    @property
    def listening(self) -> bool:
        """True while rings would be heard."""

    def fault(self) -> str | None:
        """Return the reason why there is no doorbell to use; None if there is."""

    def listen(self) -> None:
        """Begin to hear rings."""

    def works(self) -> bool:
        """Return whether a ring from another connection is heard."""

    def ring_from_now(self) -> bool:
        """Let writers ring; return False if another relay is under load."""

    def stop_ringing(self) -> None:
        """Let nobody ring for a while."""

    def is_set(self) -> bool:
        """Return whether writers ring."""

    def writers(self) -> frozenset[str]:
        """Return the writers that are open."""

    def await_ring(self, seconds: float) -> bool:
        """Wait for a ring; return whether it rang."""

    def take(self) -> int:
        """Return the rings since the last call."""

    def close(self) -> None:
        """Let go of what is open."""


class Instrumentation(Protocol):
    """Instrumentation of the way to wake up."""

    def wake_up(self, *, by_bell: bool) -> None:
        """Show the way, and count the switch to it."""

    def doorbell_test_failed(self) -> None:
        """Count a self-test that failed."""


class _Stage(Enum):
    UNSET = auto()
    # Set; some writers may not have seen it.
    AWAITING_WRITERS = auto()
    # They have ended; what they wrote is not looked for yet.
    LOOKING_ONCE_MORE = auto()
    READY = auto()


class Load:
    """Load of a relay, by the rings that it hears and the rows that it then finds."""

    def __init__(self) -> None:
        self._level = 0.0
        self._level_at = boot_seconds()
        self._until = 0.0
        self._rows = 0
        self._second = Interval(1.0)

    def rang(self, rings: int) -> None:
        """Take in that it rang so often."""
        now = boot_seconds()
        drained = (now - self._level_at) * _RINGS_PER_SECOND
        self._level = max(0.0, self._level - drained) + rings
        self._level_at = now
        if self._level > _RINGS_AT_ONCE:
            self._until = max(self._until, now + 2.0)

    def found(self, rows: int) -> None:
        """Take in that a round found so many rows."""
        self._rows += rows
        if self._second.due:
            if self._rows >= _ROWS_PER_SECOND and self.high:
                self._until = boot_seconds() + 2.0
            self._rows = 0
            self._second.restart()

    @property
    def high(self) -> bool:
        """True while rings would cost writers more than polling costs the relay."""
        return boot_seconds() < self._until


class WakeUp:
    """Waits between rounds; *bell* is None where the settings turn it off."""

    def __init__(
        self, waiter: Waiter, pace: Pace, bell: Bell | None, instrumentation: Instrumentation
    ) -> None:
        self._waiter = waiter
        self._pace = pace
        self._bell = bell
        self._instrumentation = instrumentation
        self._load = Load()
        self._stage = _Stage.UNSET
        self._writers: frozenset[str] = frozenset()
        self._set_at = 0.0
        self._check = Interval(_CHECK_SECONDS)
        self._announce = Interval(_LOOK_SECONDS)
        self._retry_at = 0.0
        self._failures = 0
        self._told = ""
        # The last wait was ended by a ring.
        self.rang = False
        self.by_bell = False

    def rest(self, rows: int, *, more: bool, quiet: bool) -> None:
        """Wait after a round that found *rows* rows; *quiet*: it left none that it could see."""
        self.rang = False
        pause = self._pace.after(rows, full=more)
        self._load.found(rows)
        if self._bell is not None:
            try:
                if self._sleep(self._bell, quiet=quiet):
                    return
                if self._stage is _Stage.LOOKING_ONCE_MORE:
                    pause = 0.0
            except _TROUBLE:
                # If it is the worker's own connection, its next round says so.
                self._unset()
                self._bell.close()
                self._retry_at = boot_seconds() + _LOOK_SECONDS
        if pause:
            self._waiter.wait(pause)

    def close(self) -> None:
        """Let go of the bell: the connection is lost, or the worker ends."""
        self._unset()
        if self._bell is not None:
            with suppress(psycopg.Error):
                self._bell.close()

    def _sleep(self, bell: Bell, *, quiet: bool) -> bool:
        """Return False if this worker has to poll."""
        rings = bell.take()
        self._load.rang(rings)
        if self._load.high:
            self._unset()
            if self._announce.due:
                bell.stop_ringing()
                self._announce.restart()
            return False
        if not (quiet and self._ready(bell)):
            return False
        self._by_bell(by_bell=True)
        # What rang during the round may have been committed after it looked.
        self.rang = rings > 0 or bell.await_ring(_LOOK_SECONDS)
        self._load.rang(bell.take())
        return True

    def _ready(self, bell: Bell) -> bool:
        """Go on towards sleep, one step a quiet round; return whether no wake-up can be lost."""
        now = boot_seconds()
        if self._stage is not _Stage.UNSET and not self._still_set(bell, now):
            self._unset()
        match self._stage:
            case _Stage.UNSET:
                if now >= self._retry_at and self._set(bell):
                    self._writers = bell.writers()
                    self._await_writers()
            case _Stage.AWAITING_WRITERS:
                self._writers &= bell.writers()
                self._await_writers()
            case _Stage.LOOKING_ONCE_MORE:
                self._stage = _Stage.READY
            case _Stage.READY:
                pass
        return self._stage is _Stage.READY

    def _await_writers(self) -> None:
        self._stage = _Stage.AWAITING_WRITERS if self._writers else _Stage.LOOKING_ONCE_MORE

    def _still_set(self, bell: Bell, now: float) -> bool:
        """Return whether writers ring and have rung all the time since it was set."""
        if not bell.listening or now >= self._set_at + RINGS_SECONDS:
            return False
        if now >= self._set_at + _RENEW_SECONDS:
            return self._set(bell)
        if self._check.due:
            self._check.restart()
            return bell.is_set()
        return True

    def _set(self, bell: Bell) -> bool:
        """Prove that the bell is heard, and set it."""
        if not bell.listening:
            fault = bell.fault()
            if fault is not None:
                self._fail(f"{fault}; polling instead")
                return False
            bell.listen()
        if not bell.works():
            if not self._waiter.stopping:
                self._instrumentation.doorbell_test_failed()
                self._fail(
                    "a notification from another connection was not heard, as behind a pooler; "
                    "polling instead. LISTEN_DATABASE_URL can name a way around it"
                )
            bell.close()
            return False
        self._failures = 0
        self._told = ""
        self._set_at = boot_seconds()
        self._check.restart()
        if not bell.ring_from_now():
            # Another relay is under load, and awake.
            self._retry_at = self._set_at + _LOOK_SECONDS
            return False
        return True

    def _fail(self, why: str) -> None:
        pause = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
        self._failures += 1
        self._retry_at = boot_seconds() + pause
        if why != self._told:
            self._told = why
            log.info("the doorbell is not used: %s", why)

    def _unset(self) -> None:
        self._stage = _Stage.UNSET
        self._by_bell(by_bell=False)

    def _by_bell(self, *, by_bell: bool) -> None:
        if by_bell != self.by_bell:
            self.by_bell = by_bell
            self._instrumentation.wake_up(by_bell=by_bell)
