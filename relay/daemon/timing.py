"""The one place where a worker waits, and the three things that end its waiting."""

import threading
import time
from collections.abc import Callable


class Waiter:
    """Waits for a stop, a wake-up or the end of an interval, whichever comes first."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._stopping = False
        self._woken = False

    @property
    def stopping(self) -> bool:
        """Whether stop() was called; it cannot be taken back."""
        return self._stopping

    def stop(self) -> None:
        """End this wait and every later one. The lock is reentrant: signal handlers may call."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()

    def wake(self) -> None:
        """End this wait, or the next one if none is going on."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait at most *seconds*."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._woken, seconds)
            self._woken = False


class Pace:
    """How long to wait after a poll: not at all after a full lease, longer and longer when idle."""

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
            self._current = self._shortest
        else:
            self._current = min(self._current * 1.25, self._longest)
        return self._current


class Deadline:
    """A point on the clock that also runs while the machine sleeps or the process is frozen."""

    def __init__(self, seconds: float, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or boot_seconds
        self._at = self._clock() + seconds

    def shorten(self, seconds: float) -> None:
        """Let it pass *seconds* from now, if that is earlier."""
        self._at = min(self._at, self._clock() + seconds)

    def left(self) -> float:
        """Return the seconds that are left, 0.0 when it has passed."""
        return max(0.0, self._at - self._clock())

    def passed(self) -> bool:
        """Return whether nothing is left."""
        return self._clock() >= self._at


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
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
