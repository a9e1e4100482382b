from collections.abc import Sequence

from relay.cli.printout.tables import Line, Table, print_table
from relay.cli.printout.terminal import console, moment, note
from relay.cli.printout.terminal import rows as counted
from relay.operations.history import PastChange
from relay.settings import SHARDS


def print_history(changes: Sequence[PastChange], next_before: int | None = None) -> None:
    """Print a line for each change; on a terminal its reason stands under it."""
    on_terminal = console().is_terminal
    headings = ["change", "at", "who", "action", "what"]
    table = Table(headings if on_terminal else [*headings, "reason"])
    for each in changes:
        cells = [str(each.id), moment(each.at), each.who, each.action, _subject(each)]
        under = [each.reason] if on_terminal else []
        table.lines.append(Line(cells if on_terminal else [*cells, each.reason], under))
    if changes:
        print_table(table)
    else:
        note("No change matches.")
    if next_before is not None:
        note(f"Older changes follow. Repeat with --before {next_before}.")


def _subject(change: PastChange) -> str:
    if not change.rows:
        if len(change.shards) == SHARDS:
            return f"all {SHARDS} shards"
        return f"shard {', '.join(map(str, change.shards))}"
    ids = ", ".join(map(str, change.outbox_ids))
    topics = f" for {', '.join(change.topics)}" if change.topics else ""
    more = ", …" if change.rows > len(change.outbox_ids) else ""
    return f"{counted(change.rows)} ({ids}{more}){topics}"
