import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from relay.cli.printout.terminal import age, console, moment, plain
from relay.operations.selection import Row


def print_rows(rows: Iterable[Row], next_after: int | None = None) -> None:
    """Print a table with a line for each row, and the option for the next page, if there is one."""
    table = Table()
    for heading in ("id", "shard", "age", "attempts"):
        table.add_column(heading, justify="right")
    for heading in ("state", "name", "topic", "key", "error"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            str(row.id), str(row.shard), age(row.age_seconds), str(row.attempts), row.state,
            plain(row.name), plain(row.topic or "(default)"), plain(row.key), plain(row.last_error),
        )  # fmt: skip
    if table.row_count:
        console().print(table)
    else:
        console().print("No rows match.")
    if next_after is not None:
        console().print(f"More rows follow. Repeat with --after {next_after}.")


def print_row(row: Mapping[str, Any]) -> None:
    """Print the fields of one row, a line each; objects as JSON."""
    table = Table.grid(padding=(0, 2))
    for name, value in row.items():
        table.add_row(Text(name, style="dim"), plain(_readable(value)))
    console().print(table)


def _readable(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, float):
        return age(value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "-" if value is None else str(value)
