"""Counts, ages, moments and names, as they stand in a sentence."""

import shlex
from collections.abc import Iterable
from datetime import UTC, datetime

from relay.operations.outlook.facts import COUNT_LIMIT

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def counted(rows: int) -> str:
    """Return a number of rows, with ≥ where there may be more."""
    if rows >= COUNT_LIMIT:
        return f"≥ {COUNT_LIMIT:,} rows"
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


def age(seconds: float | None) -> str:
    """Return *seconds* in the largest unit that fits."""
    if seconds is None:
        return "an unknown time"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def at(moment: datetime | str | None) -> str:
    """Return a moment to the second, in UTC; a text is one in ISO 8601."""
    if moment is None:
        return "an unknown time"
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def listed(names: Iterable[str]) -> str:
    """Return *names* with commas; the first five where they are many."""
    every = list(names)
    more = f" and {len(every) - 5} more" if len(every) > 5 else ""  # noqa: PLR2004
    return ", ".join(every[:5]) + more


def quoted(name: str) -> str:
    """Return *name* as a shell takes it for one word."""
    return shlex.quote(name)
