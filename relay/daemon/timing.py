"""The one place where a worker waits, the three events that end its waiting, and its clocks."""

import math
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final

_BOOT_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Deadline:
    """A point on the clock that also runs while the machine sleeps or the process is frozen.

    It never moves, so any thread may look at it.
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, seconds: float, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or boot_seconds
        self._at = self._clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left, 0.0 when it has passed."""
        return max(0.0, self._at - self._clock())

    def passed(self) -> bool:
        """Return whether nothing is left."""
        return self._clock() >= self._at


class Waiter:
    """Waits for a stop, a wake-up or the end of an interval, whichever comes first."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._stop_by: Deadline | None = None
        self._woken = False
        # Written to, where somebody waits for a file as well.
        self._pipe: int | None = None

    @property
    def stopping(self) -> bool:
        """True once stop() was called; it cannot be taken back."""
        return self._stop_by is not None

    @property
    def overdue(self) -> bool:
        """True when the time is up that a stop leaves for the work under way."""
        stop_by = self._stop_by
        return stop_by is not None and stop_by.passed()

    def stop(self, budget_seconds: float = math.inf) -> None:
        """End this wait and every later one; work under way may go on for *budget_seconds*.

        The lock is reentrant: signal handlers may call. Only the first call has an effect.
        """
        with self._condition:
            if self._stop_by is None:
                self._stop_by = Deadline(budget_seconds)
            self._end_waits()

    def wake(self) -> None:
        """End this wait, or the next one if none is going on."""
        with self._condition:
            self._woken = True
            self._end_waits()

    def wait(self, seconds: float) -> None:
        """Wait at most *seconds*."""
        with self._condition:
            self._condition.wait_for(lambda: self.stopping or self._woken, seconds)
            self._woken = False

    def wait_readable(self, seconds: float, fileno: int) -> bool:
        """Wait at most *seconds*, or until *fileno* can be read; return whether it can."""
        readable, writable = os.pipe()
        try:
            with self._condition:
                self._pipe = writable
                woken = self.stopping or self._woken
            poll = select.poll()
            poll.register(fileno, select.POLLIN)
            poll.register(readable, select.POLLIN)
            found = poll.poll(0 if woken else math.ceil(seconds * 1000))
            return any(ready == fileno for ready, _ in found)
        finally:
            with self._condition:
                self._pipe = None
                self._woken = False
            os.close(readable)
            os.close(writable)

    def _end_waits(self) -> None:
        self._condition.notify_all()
        if self._pipe is not None:
            os.write(self._pipe, b"x")


class Pace:
    """Pause after a poll: none after a full lease, longer and longer when idle.

    It follows the rate: each row found shortens it, so that a single one now and then does not have
    the relay poll as if many came.
    """

    def __init__(self, shortest_seconds: float, longest_seconds: float) -> None:
        self._shortest = shortest_seconds
        self._longest = longest_seconds
        self._current = shortest_seconds

    def after(self, rows: int, *, full: bool) -> float:
        """Return the seconds to wait after a lease of *rows* rows, *full* or not."""
        if full:
            self._current = self._shortest
            return 0.0
        if rows:
            self._current = max(self._current / (1 + rows), self._shortest)
        else:
            self._current = min(self._current * 1.25, self._longest)
        return self._current


class Interval:
    """Comes due each time that so many seconds have passed, and at the very start."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due_at = -math.inf

    @property
    def due(self) -> bool:
        """True when the time has come."""
        return boot_seconds() >= self._due_at

    def restart(self) -> None:
        """Begin anew."""
        self._due_at = boot_seconds() + self._seconds


class DatabaseClock:
    """The time of the database, carried on by a clock that nobody sets.

    Rows are stamped with that time, and so are messages: a host whose own clock is wrong would have
    Kafka refuse what it sends. Until the first set() it is the host's time.
    """

    def __init__(self) -> None:
        self.set(int(time.time() * 1000))

    def set(self, now_ms: int) -> None:
        """Take over the database's time, in milliseconds since 1970."""
        self._booted_ms = now_ms - boot_seconds() * 1000

    def now_ms(self) -> int:
        """Return the database's time, in milliseconds since 1970."""
        return int(self._booted_ms + boot_seconds() * 1000)


def boot_seconds() -> float:
    """Return seconds since boot, those of a suspended machine included."""
    return time.clock_gettime(_BOOT_CLOCK)
