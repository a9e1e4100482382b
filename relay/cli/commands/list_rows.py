# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from dataclasses import asdict
from typing import Annotated

import typer

from relay.cli.commands.options import (
    AsJson,
    Key,
    Name,
    NewerThan,
    OlderThan,
    State,
    Topic,
    as_text,
)


def list_rows(  # noqa: PLR0913 - an option each
    *,
    state: State = None,
    key: Key = None,
    name: Name = None,
    topic: Topic = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows of a page.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="The last id of the page before.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List rows of the outbox, the oldest first, without their payloads.

    Needs the role outbox_reader. The last line tells how to get the next page; in JSON it is
    `next_after`, null where there is none.
    """
    from relay.operations.selection import Selection, find
    from relay.settings import load

    database = load(database=True).database
    selection = Selection(
        None, state.value if state else None, key, name, topic, older_than, newer_than
    )
    # One more than the page, which tells whether there is another.
    found = find(database, selection, limit=limit + 1, after=after)
    rows = found[:limit]
    next_after = rows[-1].id if len(found) > limit else None
    if as_json:
        shown = {"rows": [asdict(row) for row in rows], "next_after": next_after}
        typer.echo(json.dumps(shown, default=as_text))
    else:
        from relay.cli.printout.rows import print_rows

        print_rows(rows, next_after)
