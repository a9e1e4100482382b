"""Bisection: finds the rows for which a statement over many of them fails."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

_STEP_ROWS: Final = 32


def faulty(
    ids: Sequence[int], fault_of: Callable[[Sequence[int]], str | None]
) -> Iterator[tuple[int, str]]:
    """Yield each row that is at fault alone, and its fault.

    *fault_of* tries some of the rows, and returns their fault; None if there is none.
    """
    at, step = 0, _STEP_ROWS
    while at < len(ids):
        fault = fault_of(ids[at : at + step])
        if fault is None:
            at, step = at + step, min(2 * step, _STEP_ROWS)
        elif step > 1:
            step //= 2
        else:
            yield ids[at], fault
            at += 1
