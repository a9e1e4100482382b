"""Threads of the relay: their end is noticed, and so is its cause."""

import threading
import traceback
from collections.abc import Callable


class WatchedThread(threading.Thread):
    """A thread that keeps the error that ended it. It does not keep the process from ending."""

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = target
        self.error: BaseException | None = None

    def run(self) -> None:
        """Work until it is done, or fails."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - whoever watches ends the process
            self.error = error


def cause(error: BaseException | None) -> str:
    """Return the type of *error* and the line that raised it, without values, which may be rows."""
    if error is None:
        return "an end that nobody asked for"
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return type(error).__name__ + (
        f" in {last.name}, {last.filename}:{last.lineno}" if last else ""
    )


def stack(error: BaseException) -> str:
    """Return the calls that led to *error*, without values."""
    return "".join(traceback.format_tb(error.__traceback__))
