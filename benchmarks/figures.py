"""Figures by name, and measuring the sides of a comparison in turn."""

from collections.abc import Callable, Mapping

from benchmarks.stage import Stage

Figures = dict[str, float]


def in_turn(stage: Stage, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each side once, then all again, so that a slow minute of the machine hits all."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(1, stage.sizes.repeats + 1):
        for name, side in sides.items():
            stage.progress.note(f"{name}, {number} of {stage.sizes.repeats}")
            found[name].append(side())
            stage.progress.note(f"{name}: {found[name][-1]:,.0f}/s")
    return found
