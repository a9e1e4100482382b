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
    shards: Annotated[
        bool, typer.Option("--shards", help="List shards that are not idle.")
    ] = False,
    all_shards: Annotated[bool, typer.Option("--all", help="List idle shards too.")] = False,
    by: Annotated[
        KeyOrder, typer.Option(help="Keys with most rows first, or with the oldest row.")
    ] = KeyOrder.ROWS,
    keys: Annotated[int, typer.Option(min=0, max=1000, help="Number of keys to list.")] = 0,
    parked: Annotated[
        int, typer.Option(min=0, max=1000, help="Number of parked rows to list.")
    ] = 0,
) -> None:
    """Tell whether everything that waits is on its way, with totals, relays, topics and shards.

    One screen; keys, parked rows and shards are listed on request.

    Reads no payload and blocks nobody. Needs the role outbox_reader.
    """
    from dataclasses import asdict

    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.status import print_status
    from relay.operations.outlook import look
    from relay.operations.status import inspect

    with database("relay status") as connection:
        outlook = look(connection)
        found = inspect(connection, keys=keys, order=by.value, parked=parked, facts=outlook.facts)
    if as_json:
        relays = [asdict(relay) for relay in outlook.facts.relays or ()]
        print_json({**found.as_dict(), "outlook": outlook.as_dict(), "relays": relays})
    else:
        print_status(found, outlook, shards=shards, all_shards=all_shards)
