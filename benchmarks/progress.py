"""What a person sees while the figures are made."""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """A bar on a terminal, a line for each step elsewhere; always on standard error."""

    def __init__(self, steps: int) -> None:
        self._console = Console(stderr=True)
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.completed} of {task.total}: {task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=steps)

    def note(self, what: str) -> None:
        """Say what is being measured now."""
        self._bar.update(self._task, description=what)
        if not self._console.is_terminal:
            self._console.print(what, markup=False, highlight=False)

    def step(self) -> None:
        """Count one measurement as done."""
        self._bar.advance(self._task)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
