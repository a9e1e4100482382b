# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from datetime import timedelta
from typing import Annotated

import typer

from relay.operator.commands.options import AsJson

# Counting what is old takes its time on a large table.
PATIENCE_SECONDS = 600.0


def purge_events(
    *,
    older_than: Annotated[
        str, typer.Option(metavar="DURATION", help="Keep what is younger: 90d, 12h, 1d12h.")
    ],
    batch: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many events to delete at a time.")
    ] = 5_000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count them, and delete nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete the events that happened longer ago than a duration.

    Each batch is a transaction of its own: it holds nobody up, and may be stopped at any time and
    run again. The outbox is left alone: what waits there is still published. Needs no more than
    the role outbox_purger.
    """
    from rich.console import Console
    from rich.progress import track

    from relay import schema
    from relay.operator import retention
    from relay.operator.database import connected
    from relay.settings import load

    age = _age(older_than)
    database = load(database=True).database
    with connected(database.conninfo(), "relay purge-events", PATIENCE_SECONDS) as connection:
        schema.verify(connection)
        before = retention.cutoff(connection, age)
        found = retention.count(connection, before)
        deleted = 0
        if not dry_run:
            batches = track(
                retention.purge(connection, before, batch),
                "Deleting events",
                total=-(-found // batch),
                console=Console(stderr=True),
                disable=as_json,
            )
            deleted = sum(batches)
    if as_json:
        answer = {"before": before.isoformat(), "found": found, "deleted": deleted}
        typer.echo(json.dumps(answer | {"dry_run": dry_run}))
    else:
        done = f"{found:,} would be deleted" if dry_run else f"{deleted:,} were deleted"
        typer.echo(f"Events before {before.isoformat(sep=' ', timespec='seconds')}: {done}.")


def _age(text: str) -> timedelta:
    from relay.settings.events import duration

    try:
        return duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}", param_hint="--older-than") from None
