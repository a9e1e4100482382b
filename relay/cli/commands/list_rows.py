from typing import Annotated

import typer

from relay.cli.options import AsJson, RowOptions, State, Topic


def list_rows(
    *,
    state: State = None,
    topic: Topic = None,
    rows: RowOptions,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Columns to print, such as id,key,error; a name that there is not lists them all.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows on a page.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Last id of the page before.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List rows of the outbox, the oldest first, without their payloads.

    Errors of parked rows, and why rows wait, stand under them; through a pipe all are tab-separated
    columns. Standard error gives the option for the next page; in JSON it is `next_after`, null on
    the last page. Needs the role outbox_reader.
    """
    from dataclasses import asdict

    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.rows import print_rows
    from relay.operations.selection import find
    from relay.operations.whereabouts import whereabouts

    chosen = _columns(columns)
    selection = rows.selection(None, state, topic)
    with database("relay list") as connection:
        # One more than the page, which tells whether there is another.
        found = find(connection, selection, limit=limit + 1, after=after)
        page = found[:limit]
        where = whereabouts(connection, page)
    next_after = page[-1].id if len(found) > limit else None
    if as_json:
        told = [{**asdict(row), "waits_for": where[row.id].reason} for row in page]
        print_json({"rows": told, "next_after": next_after})
    else:
        print_rows(page, where, chosen, next_after)


def _columns(names: str | None) -> list[str]:
    from relay.cli.printout.rows import COLUMNS

    chosen = [name.strip() for name in (names or "").split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in COLUMNS]:
        raise typer.BadParameter(
            f"no column {', '.join(unknown)}: choose among {', '.join(COLUMNS)}",
            param_hint="--columns",
        )
    return chosen
