from enum import StrEnum
from typing import Annotated

import typer

from relay.cli.options import AsJson


class KeyOrder(StrEnum):
    """Order of the keys in the list."""

    ROWS = "rows"
    AGE = "age"


def status(
    *,
    as_json: AsJson = False,
    all_shards: Annotated[bool, typer.Option("--all", help="List idle shards too.")] = False,
    by: Annotated[
        KeyOrder, typer.Option(help="Keys with most rows first, or with the oldest row.")
    ] = KeyOrder.ROWS,
    keys: Annotated[int, typer.Option(min=1, max=1000, help="Number of keys to list.")] = 10,
    parked: Annotated[
        int, typer.Option(min=1, max=1000, help="Number of parked rows to list.")
    ] = 10,
) -> None:
    """Show backlog, age, holders of shards, busiest keys and parked rows.

    Reads no payload and blocks nobody. Needs the role outbox_reader.
    """
    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.status import print_status
    from relay.operations.status import inspect

    with database("relay status") as connection:
        found = inspect(connection, keys=keys, order=by.value, parked=parked)
    if as_json:
        print_json(found.as_dict())
    else:
        print_status(found, all_shards=all_shards)
