"""What `relay requeue` and `relay discard` have in common: look, confirm, change, tell."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import typer

from relay.cli.commands.options import required
from relay.cli.printout.rows import print_rows
from relay.cli.printout.terminal import rows as counted
from relay.errors import RelayError
from relay.operations.actions import Why
from relay.operations.selection import Row, Selection, find
from relay.settings import DatabaseSettings, Settings, load

ROWS_MAX: Final = 100_000
SHOWN_ROWS: Final = 20


@dataclass(frozen=True)
class Change:
    """A change of rows, in the words that tell of it; *check* raises where it must not be."""

    verb: str
    done: str
    act: Callable[[DatabaseSettings, Sequence[int], Why], list[int]]
    why_left: str
    check: Callable[[Settings, Sequence[Row]], None] = lambda *_: None


def change_rows(
    change: Change, selection: Selection, *,
    dry_run: bool, confirm: int | None, reason: str | None, person: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Change the selected rows, or only show them.

    Raises:
        typer.BadParameter: nothing says which rows, or why, or how many.
        RelayError: there are none, they are not as many as confirmed, or some could not be changed.
    """
    if selection.is_everything:
        raise typer.BadParameter("say which rows, by their ids or by what they have in common")
    settings = load(database=True, events=True)
    database = settings.database
    rows = _matching(database, selection)
    change.check(settings, rows)
    if dry_run:
        _show(change, rows, as_json=as_json)
        return
    why = Why(required(reason), person)
    if selection.ids is None:
        _confirm(change, rows, confirm)
    ids = [row.id for row in rows]
    done = change.act(database, ids, why) if ids else []
    left = sorted({*ids, *(selection.ids or ())} - set(done))
    if as_json:
        typer.echo(json.dumps({"action": change.verb, "done": done, "left": left}))
    else:
        typer.echo(f"{counted(len(done))} {change.done}.")
    if left:
        some = ", ".join(map(str, left[:SHOWN_ROWS]))
        raise RelayError(
            f"left as they were: {counted(len(left))} ({some}): each {change.why_left}."
        )


def _matching(database: DatabaseSettings, selection: Selection) -> list[Row]:
    rows = find(database, selection, limit=ROWS_MAX + 1)
    if len(rows) > ROWS_MAX:
        raise RelayError(f"More than {ROWS_MAX:,} rows match: narrow them down, as by their age.")
    if not rows and selection.ids is None:
        raise RelayError("No rows match: nothing was done.")
    return rows


def _confirm(change: Change, rows: Sequence[Row], confirm: int | None) -> None:
    if confirm is None and sys.stdin.isatty():
        confirm = typer.prompt(f"How many rows do you want to {change.verb}?", type=int, err=True)
    if confirm is None:
        raise typer.BadParameter("say how many rows with --confirm; --dry-run counts them")
    if confirm != len(rows):
        raise RelayError(
            f"{counted(len(rows))} would be {change.done}, and not {confirm:,}: nothing was done."
        )


def _show(change: Change, rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        ids = [row.id for row in rows]
        typer.echo(json.dumps({"action": change.verb, "would_change": ids, "count": len(ids)}))
        return
    print_rows(rows[:SHOWN_ROWS])
    typer.echo(f"{counted(len(rows))} would be {change.done}: --confirm {len(rows)} does it.")
