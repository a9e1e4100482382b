# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from enum import StrEnum
from typing import Annotated

import typer

from relay.cli.commands.options import AsJson, as_text


class KeyOrder(StrEnum):
    """What puts a key on top of the list."""

    ROWS = "rows"
    AGE = "age"


def status(
    *,
    as_json: AsJson = False,
    all_shards: Annotated[
        bool, typer.Option("--all", help="Show shards that have nothing to do as well.")
    ] = False,
    by: Annotated[
        KeyOrder, typer.Option(help="Keys with most rows first, or with the oldest.")
    ] = KeyOrder.ROWS,
    keys: Annotated[int, typer.Option(min=1, max=1000, help="How many keys to list.")] = 10,
    parked: Annotated[
        int, typer.Option(min=1, max=1000, help="How many parked rows to list.")
    ] = 10,
) -> None:
    """Show what waits, since when, who works on which shard, and what is parked.

    Reads no payload, holds nobody up, and needs no more than the role outbox_reader.
    """
    from relay.operations.status import inspect
    from relay.settings import load

    found = inspect(load(database=True).database, keys=keys, order=by.value, parked=parked)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), default=as_text))
    else:
        from relay.cli.printout.status import print_status

        print_status(found, all_shards=all_shards)
