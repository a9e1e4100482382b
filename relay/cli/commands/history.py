from enum import StrEnum
from typing import Annotated

import typer

from relay.cli.options import AsJson, EventId


class Action(StrEnum):
    """Kind of a change."""

    REQUEUE = "requeue"
    DISCARD = "discard"
    RESTORE = "restore"
    REDIRECT = "redirect"
    PAUSE = "pause"
    RESUME = "resume"


def history(  # noqa: PLR0913 - an option each
    *,
    action: Annotated[Action | None, typer.Option(help="Only changes of this kind.")] = None,
    person: Annotated[
        str | None, typer.Option("--as", metavar="PERSON", help="Only changes by this person.")
    ] = None,
    row_id: Annotated[
        int | None, typer.Option("--id", metavar="ID", help="Only changes of this row.")
    ] = None,
    shard: Annotated[
        int | None, typer.Option(min=0, max=63, help="Only changes of this shard and its rows.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Only changes of rows of this key.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only changes of rows for this topic.")] = None,
    event_id: EventId = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Changes on a page.")] = 50,
    before: Annotated[
        int | None, typer.Option(min=1, help="Last number of the page before.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List past changes by operators with their reasons, the newest first.

    Reads outbox_audit, in which every change is kept. Needs the role outbox_reader.
    """
    from dataclasses import asdict

    from relay.cli.database import database
    from relay.cli.printout.history import print_history
    from relay.cli.printout.json_lines import print_json
    from relay.operations.history import Past
    from relay.operations.history import history as changes

    past = Past(action and action.value, person, shard, row_id, event_id, key, topic)
    with database("relay history") as connection:
        # One more than the page, which tells whether there is another.
        found = changes(connection, past, limit=limit + 1, before=before)
    shown = found[:limit]
    next_before = shown[-1].id if len(found) > limit else None
    if as_json:
        print_json({"changes": [asdict(each) for each in shown], "next_before": next_before})
    else:
        print_history(shown, next_before)
