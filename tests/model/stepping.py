"""Code that stops at gates: one step at a time, and it may die at each of them."""

import threading
from collections.abc import Callable

_running = threading.local()


class Killed(BaseException):
    """What kill -9 is to code: nothing catches it."""


class Stepped:
    """Runs *work* on a thread of its own, but never at the same time as whoever steps it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._turn = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._doomed = False
        self._error: BaseException | None = None
        self.at: str | None = None
        self.ended = False

    def step(self) -> None:
        """Let it run to its next gate, or to its end. Raises what it ended with."""
        if self.ended:
            # Nobody is left who would stop at a gate.
            if self._error is not None:
                raise self._error
            return
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._turn.release()
        self._stopped.acquire()
        if self._error is not None:
            raise self._error

    def kill(self) -> None:
        """End it where it stands."""
        self._doomed = True
        if not self.ended:
            self.step()

    def pause(self, point: str) -> None:
        """Wait here for the next step."""
        self.at = point
        self._stopped.release()
        self._turn.acquire()
        if self._doomed:
            raise Killed

    def _run(self) -> None:
        _running.stepped = self
        try:
            self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to whoever steps it
            self._error = error
        self.ended = True
        self._stopped.release()


def gate(point: str) -> None:
    """Stop here, where the code that is running is stepped."""
    stepped: Stepped | None = getattr(_running, "stepped", None)
    if stepped is not None:
        stepped.pause(point)
