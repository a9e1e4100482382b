"""Progress of a long operation, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn


@dataclass
class Count:
    """Running count."""

    progress: Progress
    what: str
    count: int = field(default=0)

    def add(self, done: int) -> None:
        """Count *done* more."""
        self.count += done
        self.progress.update(self.progress.task_ids[0], description=f"{self.count:,} {self.what}")


@contextmanager
def counting(what: str) -> Iterator[Count]:
    """Show on standard error the count of *what*, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        progress.add_task(f"0 {what}", total=None)
        yield Count(progress, what)
