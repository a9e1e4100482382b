"""Tables: aligned and never cut on a terminal; tab-separated values with a heading elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import typer
from rich.text import Text

from relay.cli.printout.terminal import console, plain

GAP: Final = "  "


@dataclass(frozen=True)
class Line:
    """Line of a table: its cells, what stands under it on a terminal, and its style there."""

    cells: Sequence[str]
    under: Sequence[str] = ()
    style: str = ""


@dataclass(frozen=True)
class Table:
    """Headings and lines. Columns of *right* are aligned to the right."""

    headings: Sequence[str]
    lines: list[Line] = field(default_factory=list)
    right: frozenset[str] = frozenset()


def print_table(table: Table, title: str = "") -> None:
    """Print *table*, with *title* before it on a terminal."""
    out = console()
    if not out.is_terminal:
        for cells in (table.headings, *(line.cells for line in table.lines)):
            # Not by rich, which makes spaces of tabs.
            typer.echo("\t".join(plain(cell).plain for cell in cells))
        return
    if title:
        out.print(Text(title, style="bold"))
    for text in drawn(table):
        # The terminal breaks a line that is too long: nothing of a key or an id is cut off.
        out.print(text, soft_wrap=True)


def drawn(table: Table) -> Iterable[Text]:
    """Yield the lines of *table*, its columns aligned."""
    rows = [table.headings, *([plain(c).plain for c in line.cells] for line in table.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield Text(_aligned(table, table.headings, widths), style="dim")
    for line, cells in zip(table.lines, rows[1:], strict=True):
        yield Text(_aligned(table, cells, widths), style=line.style)
        for under in line.under:
            yield Text(f"    {plain(under).plain}", style="dim")


def _aligned(table: Table, cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if heading in table.right else cell.ljust(width)
        for heading, cell, width in zip(table.headings, cells, widths, strict=True)
    )
    return GAP.join(padded).rstrip()
