"""The common part of `relay requeue` and `relay discard`: find, confirm, change, report."""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import typer

from relay.cli.database import database
from relay.cli.options import required, somebody
from relay.cli.printout.json_lines import print_json
from relay.cli.printout.rows import print_rows
from relay.cli.printout.terminal import rows as counted
from relay.database.session import Connection
from relay.errors import RelayError
from relay.formats import format_of
from relay.operations.actions import Why, named, refuse_states
from relay.operations.selection import Row, Selection, confirm, matching
from relay.settings import load

SHOWN_ROWS: Final = 20


@dataclass(frozen=True)
class Change:
    """A change of rows, and the words that report it."""

    verb: str
    done: str
    act: Callable[[Connection, Sequence[int], Why], list[int]]
    why_left: str
    sends_again: bool = False


@dataclass(frozen=True)
class Request:
    """Options of a change."""

    dry_run: bool
    confirm: int | None
    reason: str | None
    person: str | None
    as_json: bool


def change_rows(change: Change, selection: Selection, request: Request) -> None:
    """Change the selected rows, or only show them.

    Raises:
        typer.BadParameter: selection, reason or count is missing.
        RelayError: no row matches, the count differs, or some rows were left unchanged.
    """
    if selection.is_everything:
        raise typer.BadParameter("the selection is missing: give ids, or options that select rows")
    settings = load(database=True, events=True)
    with database(f"relay {change.verb}", settings) as connection:
        rows = matching(connection, selection)
        if change.sends_again:
            refuse_states(connection, rows, format_of(settings.events.stream_preset).states)
        if request.dry_run:
            _show(change, rows, by_ids=selection.ids is not None, as_json=request.as_json)
            return
        why = Why(required(request.reason), somebody(request.person))
        if selection.ids is None:
            confirm(rows, _expected(change, request.confirm))
        ids = [row.id for row in rows]
        done = change.act(connection, ids, why) if ids else []
    _report(change, done, {*ids, *(selection.ids or ())}, as_json=request.as_json)


def _expected(change: Change, count: int | None) -> int:
    if count is None and sys.stdin.isatty():
        count = typer.prompt(f"Number of rows to {change.verb}", type=int, err=True)
    if count is None:
        raise typer.BadParameter("the count is missing: give --confirm; --dry-run shows the count")
    return count


def _show(change: Change, rows: Sequence[Row], *, by_ids: bool, as_json: bool) -> None:
    if as_json:
        ids = [row.id for row in rows]
        print_json({"action": change.verb, "would_change": ids, "count": len(ids)})
        return
    print_rows(rows[:SHOWN_ROWS])
    verb = "matches" if len(rows) == 1 else "match"
    repeat = "without --dry-run" if by_ids else f"with --confirm {len(rows)}"
    typer.echo(f"{counted(len(rows))} {verb}; nothing was changed. Repeat {repeat}.")


def _report(change: Change, done: Sequence[int], wanted: Collection[int], *, as_json: bool) -> None:
    left = sorted(set(wanted) - set(done))
    if as_json:
        print_json({"action": change.verb, "done": done, "left": left})
    else:
        typer.echo(f"{counted(len(done))} {change.done}.")
    if left:
        raise RelayError(
            f"{counted(len(left))} left unchanged ({named(left)}): each {change.why_left}."
        )
