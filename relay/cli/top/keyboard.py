"""Keys of a terminal, read one at a time without waiting for a line."""

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# What terminals send for the keys that have no character.
_NAMED: Final = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down", "\x1b": "escape",
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace",
}  # fmt: skip

NextKeys = Callable[[float], list[str]]


@contextmanager
def keyboard() -> Iterator[NextKeys]:
    """Yield a function that returns the keys pressed, waiting for one up to so many seconds."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> list[str]:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, seconds))
        return keys(os.read(descriptor, 1024).decode(errors="replace")) if ready else []

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def keys(text: str) -> list[str]:
    """Return the keys in what a terminal sent: characters, and names of those without one."""
    found = []
    while text:
        size = next((n for n in (3, 1) if text[:n] in _NAMED), 1)
        found.append(_NAMED.get(text[:size], text[:size]))
        text = text[size:]
    return found
