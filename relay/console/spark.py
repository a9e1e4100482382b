"""Sparklines: values as points of an SVG, 100 wide and 24 high."""

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 100
HEIGHT: Final = 24


def points(values: Sequence[float | None]) -> str:
    """Return the path of *values*; a gap where one is unknown."""
    known = [value for value in values if value is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    top = max(*known, 1)
    step = WIDTH / max(len(values) - 1, 1)
    path: list[str] = []
    pen = "M"
    for index, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = HEIGHT - 1 - (HEIGHT - 2) * value / top
        path.append(f"{pen}{index * step:.1f} {y:.1f}")
        pen = "L"
    return "".join(path)
