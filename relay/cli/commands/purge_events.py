from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from relay.cli.options import AsJson


def purge_events(
    *,
    older_than: Annotated[
        str, typer.Option(metavar="DURATION", help="Age of what to delete: 90d, 12h, 1d12h.")
    ],
    batch: Annotated[
        int, typer.Option(min=1, max=100_000, help="Events to delete in one transaction.")
    ] = 5_000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what matches; delete nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete stored events that are older than a duration.

    Rate limits that expired with them go too. Deletes in batches, each a transaction: it blocks
    nobody, and may be stopped and run again. The outbox stays as it is; pending rows are still
    published. Needs the role outbox_purger.
    """
    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.operations import retention

    age = _age(older_than)
    with database("relay purge-events", patience_seconds=retention.PATIENCE_SECONDS) as connection:
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
        print_json(answer | limited | {"dry_run": dry_run})
        return
    moment = before.isoformat(sep=" ", timespec="seconds")
    if dry_run:
        typer.echo(f"{found:,} events before {moment} and {limits_found:,} rate limits match.")
        typer.echo("Nothing was deleted. Repeat without --dry-run.")
    else:
        typer.echo(f"{deleted:,} events before {moment} were deleted.")
        typer.echo(f"{limits_deleted:,} expired rate limits were deleted.")


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
        raise typer.BadParameter(
            "it would delete every event",
            param_hint="--older-than",
        )
    return age
