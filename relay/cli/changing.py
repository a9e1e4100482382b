"""The common part of the commands that change rows: find, confirm, change, report."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import typer

from relay.cli.database import database
from relay.cli.options import ChangeOptions
from relay.cli.printout.json_lines import print_json
from relay.cli.printout.rows import print_rows
from relay.cli.printout.terminal import rows as counted
from relay.database.session import Connection
from relay.errors import RelayError
from relay.formats import format_of
from relay.operations.actions import Why, named, refuse_states
from relay.operations.requeueing import Followed
from relay.operations.selection import Row, Selection, confirm, matching
from relay.settings import load

SHOWN_ROWS: Final = 20


@dataclass(frozen=True)
class Change:
    """A change of rows, and the words that report it."""

    verb: str
    done: str
    act: Callable[[Connection, Sequence[int], Why], Followed]
    why_left: str
    sends_again: bool = False
    watched: bool = False


def change_rows(change: Change, selection: Selection, options: ChangeOptions) -> None:
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
        if options.dry_run:
            _show(change, rows, by_ids=selection.ids is not None, as_json=options.as_json)
            return
        why = options.why
        if selection.ids is None:
            confirm(rows, _expected(change, options.confirm))
        ids = [row.id for row in rows]
        followed = change.act(connection, ids, why) if ids else Followed(())
    wanted = {*ids, *(selection.ids or ())}
    left = sorted(wanted - {*followed.ids, *followed.untried})
    report(change, followed, left, as_json=options.as_json)


def report(
    change: Change, followed: Followed, left: Sequence[int], *, as_json: bool = False
) -> None:
    """Print what was done.

    Raises:
        RelayError: something is not as it was asked for.
    """
    if as_json:
        told = {"action": change.verb, "done": followed.ids, "left": left}
        back = [row.id for row in followed.back]
        seen = {"back": back, "waiting": followed.waiting, "untried": followed.untried}
        print_json(told | seen if change.watched else told)
    else:
        gone = len(followed.ids) - len(followed.back) - len(followed.waiting)
        watched = f"; {gone:,} went out" if change.watched else ""
        typer.echo(f"{counted(len(followed.ids))} {change.done}{watched}.")
    if faults := list(_faults(change, followed, left)):
        raise RelayError("\n".join(faults))


def _faults(change: Change, followed: Followed, left: Sequence[int]) -> Iterator[str]:
    for row in followed.back[:SHOWN_ROWS]:
        yield f"Row {row.id} came back: {row.last_error or 'no error noted'}."
    if (hidden := len(followed.back) - SHOWN_ROWS) > 0:
        yield f"{counted(hidden)} more came back: `relay list --state parked`."
    if followed.waiting:
        yield f"{counted(len(followed.waiting))} not gone yet ({named(followed.waiting)})."
    if followed.untried:
        yield f"{counted(len(followed.untried))} not tried ({named(followed.untried)})."
    if left:
        yield f"{counted(len(left))} left unchanged ({named(left)}): each {change.why_left}."


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
