from typing import Annotated

import typer

from relay.cli.options import AsJson, Key, Name, NewerThan, OlderThan, State, Topic


def list_rows(  # noqa: PLR0913 - an option each
    *,
    state: State = None,
    key: Key = None,
    name: Name = None,
    topic: Topic = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows on a page.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Last id of the page before.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List rows of the outbox, the oldest first, without their payloads.

    The last line gives the option for the next page; in JSON it is `next_after`, null on the last
    page. Needs the role outbox_reader.
    """
    from dataclasses import asdict

    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.rows import print_rows
    from relay.operations.selection import Selection, find

    selection = Selection(
        None, state.value if state else None, key, name, topic, older_than, newer_than
    )
    with database("relay list") as connection:
        # One more than the page, which tells whether there is another.
        found = find(connection, selection, limit=limit + 1, after=after)
    rows = found[:limit]
    next_after = rows[-1].id if len(found) > limit else None
    if as_json:
        print_json({"rows": [asdict(row) for row in rows], "next_after": next_after})
    else:
        print_rows(rows, next_after)
