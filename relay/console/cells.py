"""Cells of numbers, ages, moments and names."""

from datetime import UTC, datetime
from typing import Final

from relay.console.content import Cell, Tone

NOTHING: Final = Cell("–", tone="muted")  # noqa: RUF001 - a dash
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def text(value: object, tone: Tone = "") -> Cell:
    """Return *value* as text; a dash where there is none."""
    return NOTHING if value is None or value == "" else Cell(str(value), tone=tone)


def link(value: object, href: str, *, is_code: bool = False) -> Cell:
    """Return *value* as a link."""
    return Cell(str(value), href=href, is_code=is_code)


def code(value: object, href: str = "") -> Cell:
    """Return an id, a key or a name as it is written in a program."""
    return NOTHING if value is None else Cell(str(value), is_code=True, href=href)


def count(value: float | None, *, at_most: int | None = None, tone: Tone = "") -> Cell:
    """Return a number; with ≥ where it was counted up to *at_most*."""
    if value is None:
        return Cell("unknown", tone="muted", is_number=True)
    capped = at_most is not None and value >= at_most
    return Cell(f"{'≥ ' if capped else ''}{value:,.0f}", tone=tone, is_number=True)


def rate(per_second: float | None) -> Cell:
    """Return rows a second; a dash where nobody knows."""
    if per_second is None:
        return Cell(NOTHING.text, tone="muted", is_number=True)
    return Cell(f"{per_second:,.0f}/s", is_number=True)


def age(seconds: float | None, tone: Tone = "") -> Cell:
    """Return a duration in the largest unit that fits; a dash for none."""
    if seconds is None:
        return Cell(NOTHING.text, tone="muted", is_number=True)
    return Cell(lasting(seconds), tone=tone, is_number=True, title=f"{seconds:,.1f} seconds")


def lasting(seconds: float) -> str:
    """Return a duration in the largest unit that fits."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0):.1f} s"


def size(given: int | None) -> Cell:
    """Return a number of bytes in the largest unit that fits."""
    if given is None:
        return NOTHING
    for unit, name in _SIZES:
        if given >= unit:
            return Cell(f"{given / unit:.1f} {name}", is_number=True, title=f"{given:,} bytes")
    return Cell(f"{given} B", is_number=True)


def moment(at: datetime | str | None) -> Cell:
    """Return a moment; the text is in UTC."""
    if at is None:
        return NOTHING
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    at = at.astimezone(UTC)
    return Cell(at.strftime("%Y-%m-%d %H:%M:%SZ"), moment=at)


def badge(value: str, tone: Tone) -> Cell:
    """Return a word with a colour."""
    return Cell(value, tone=tone)
