import time
from collections.abc import Callable
from typing import TypeVar

from tests.support.load import stretched

POLL_SECONDS = 0.02

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, timeout: float = 30.0, what: str | None = None) -> T:
    """Ask until the answer is true, and return it.

    An AssertionError of the condition counts as "not yet"; its message ends up in ours.

    Raises:
        AssertionError: `timeout` seconds passed, more on a busy machine; names the condition and
            its last answer.
    """
    begun = time.monotonic()
    while True:
        try:
            answer = condition()
            last = f"last answer: {answer!r}"
        except AssertionError as error:
            answer, last = None, f"last failure: {error}"
        if answer:
            return answer
        if time.monotonic() >= begun + stretched(timeout):
            name = what or getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"not within {timeout:g} s: {name}; {last}")
        time.sleep(POLL_SECONDS)
