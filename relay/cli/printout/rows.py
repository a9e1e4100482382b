import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import typer
from rich.text import Text

from relay.cli.printout.tables import Line, Table, print_table
from relay.cli.printout.terminal import age, console, moment, note, plain
from relay.operations.selection import Row
from relay.operations.whereabouts import Whereabouts

NOWHERE: Final = Whereabouts(None, None)
_VALUES: Final[Mapping[str, Callable[[Row, Whereabouts], str | None]]] = {
    "id": lambda row, _: str(row.id),
    "state": lambda row, _: row.state,
    "age": lambda row, _: age(row.age_seconds),
    "attempts": lambda row, _: str(row.attempts),
    "name": lambda row, _: row.name,
    "topic": lambda row, where: row.topic or where.topic or "(default)",
    "key": lambda row, _: row.key,
    "shard": lambda row, _: str(row.shard),
    "size": lambda row, _: str(row.size),
    "event_id": lambda row, _: str(row.event_id),
    "created_at": lambda row, _: row.created_at.isoformat(),
    "age_seconds": lambda row, _: f"{row.age_seconds:.1f}",
    "parked_at": lambda row, _: row.parked_at.isoformat() if row.parked_at else None,
    "error": lambda row, _: row.last_error,
    "waits_for": lambda _, where: where.reason,
}
COLUMNS: Final = tuple(_VALUES)
_USUAL: Final = ("id", "state", "age", "attempts", "name", "topic", "key")
_PIPED: Final = (*_USUAL, "error", "waits_for")
_RIGHT: Final = frozenset({"id", "shard", "age", "age_seconds", "attempts", "size"})


def print_rows(
    rows: Sequence[Row],
    found: Mapping[int, Whereabouts] | None = None,
    columns: Sequence[str] = (),
    next_after: int | None = None,
) -> None:
    """Print a line for each row; on a terminal its error, or the reason why it waits, under it.

    What is not a row goes to standard error: how the next page is to be had.
    """
    on_terminal = console().is_terminal
    chosen = columns or (_USUAL if on_terminal else _PIPED)
    table = Table(chosen, right=_RIGHT)
    for row in rows:
        where = (found or {}).get(row.id, NOWHERE)
        cells = [_VALUES[name](row, where) or "" for name in chosen]
        said = {"error": row.last_error, "waits_for": where.reason}
        under = [text for name, text in said.items() if text and name not in chosen]
        table.lines.append(Line(cells, under, "red" if row.parked_at else ""))
    if rows:
        print_table(table)
    else:
        note("No rows match.")
    if next_after is not None:
        note(f"More rows follow. Repeat with --after {next_after}.")


def print_row(row: Mapping[str, Any]) -> None:
    """Print the fields of one row, a line each; objects as JSON."""
    out = console()
    width = max(map(len, row))
    for name, value in row.items():
        text = plain(_readable(value)).plain
        if out.is_terminal:
            out.print(Text(f"{name:<{width}}  {text}"), soft_wrap=True)
        else:
            typer.echo(f"{name}\t{text}")


def _readable(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return age(value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "-" if value is None else str(value)
