from collections.abc import Iterable
from typing import Final

from rich.table import Table

from relay.cli.printout.terminal import console, plain
from relay.operations.catalogue import CatalogueEntry

HEADINGS: Final = ("name", "severity", "scope", "message", "fields")


def print_catalogue(entries: Iterable[CatalogueEntry]) -> None:
    """Print a table with a line for each event."""
    table = Table(*HEADINGS)
    for entry in entries:
        table.add_row(*map(plain, _cells(entry)))
    console().print(table)


def to_markdown(entries: Iterable[CatalogueEntry]) -> str:
    """Return a table in Markdown."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(_cells, entries)]
    return "\n".join(f"| {' | '.join(map(_escaped, row))} |" for row in rows)


def _cells(entry: CatalogueEntry) -> tuple[str, ...]:
    fields = ", ".join(f"{name}: {kind}" for name, kind in entry.fields.items())
    return entry.name, entry.severity, entry.scope, entry.template, fields


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ")
