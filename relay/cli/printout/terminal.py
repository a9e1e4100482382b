"""Values as people read them, on a terminal or elsewhere."""

from datetime import datetime

import typer
from rich.console import Console
from rich.text import Text

# Away from a terminal, lines are not broken at 80 characters.
PLAIN_WIDTH = 200

_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def console() -> Console:
    """Return the standard output: lines are broken on a terminal alone."""
    screen = Console()
    return screen if screen.is_terminal else Console(width=PLAIN_WIDTH)


def plain(text: str | None) -> Text:
    """Return *text* from elsewhere as it is: no markup and no control characters."""
    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text or "-"))


def note(text: str) -> None:
    """Print *text* to standard error: it is about the answer, and no part of it."""
    typer.echo(text, err=True)


def age(seconds: float | None) -> str:
    """Return *seconds* in the largest unit that fits; "-" for none."""
    if seconds is None:
        return "-"
    for size, unit in _AGES:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def moment(at: datetime | None) -> str:
    """Return *at* to the second; "hidden" for none."""
    return at.isoformat(sep=" ", timespec="seconds") if at else "hidden"


def rows(count: int) -> str:
    """Return *count* as a number of rows."""
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
