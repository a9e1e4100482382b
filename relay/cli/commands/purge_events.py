# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from relay.cli.commands.options import AsJson

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

    With them go the rate limits that could refuse only events as old. Each batch is a transaction
    of its own: it holds nobody up, and may be stopped at any time and run again. The outbox is
    left alone: what waits there is still published. Needs no more than the role outbox_purger.
    """
    from relay.database import schema
    from relay.database.session import connected
    from relay.operations import retention
    from relay.settings import load

    age = _age(older_than)
    database = load(database=True).database
    with connected(database.conninfo(), "relay purge-events", PATIENCE_SECONDS) as connection:
        schema.verify(connection)
        before = retention.cutoff(connection, age)
        found = retention.count(connection, before)
        limits_found = retention.count_limits(connection, before)
        deleted = limits_deleted = 0
        if not dry_run:
            shown = partial(_shown, batch=batch, hidden=as_json)
            deleted = shown(retention.purge(connection, before, batch), "events", found)
            limits = retention.purge_limits(connection, before, batch)
            limits_deleted = shown(limits, "rate limits", limits_found)
    if as_json:
        answer = {"before": before.isoformat(), "found": found, "deleted": deleted}
        limited = {"limits_found": limits_found, "limits_deleted": limits_deleted}
        typer.echo(json.dumps(answer | limited | {"dry_run": dry_run}))
    else:
        verb, events, limits_count = (
            ("would be", found, limits_found) if dry_run else ("were", deleted, limits_deleted)
        )
        moment = before.isoformat(sep=" ", timespec="seconds")
        typer.echo(f"Events before {moment}: {events:,} {verb} deleted.")
        typer.echo(f"Rate limits of none but such events: {limits_count:,} {verb} deleted.")


def _shown(batches: Iterable[int], what: str, total: int, *, batch: int, hidden: bool) -> int:
    """Return the sum of the batches, with their progress on standard error."""
    from rich.console import Console
    from rich.progress import track

    return sum(
        track(
            batches,
            f"Deleting {what}",
            total=-(-total // batch),
            console=Console(stderr=True),
            disable=hidden,
        )
    )


def _age(text: str) -> timedelta:
    from relay.settings.duration import duration

    try:
        age = duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}", param_hint="--older-than") from None
    if not age:
        raise typer.BadParameter("it would delete every event", param_hint="--older-than")
    return age
