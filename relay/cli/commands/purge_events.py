from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import typer

from relay.cli.options import AsJson

_NOTHING: Final = "Nothing was deleted. Repeat without --dry-run."


def purge_events(
    *,
    older_than: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Age of what to delete: 90d, 12h, 1d12h.")
    ] = None,
    cluster: Annotated[
        UUID | None, typer.Option(help="Delete all events of this cluster, of any age.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=100_000, help="Events to delete in one transaction.")
    ] = 5_000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what matches; delete nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete stored events that are older than a duration, or those of a deleted cluster.

    Rate limits that expired with the old ones go too. Deletes in batches, each a transaction: it
    blocks nobody, and may be stopped and run again. The outbox stays as it is; pending rows are
    still published. Needs the role outbox_purger.
    """
    if (older_than is None) == (cluster is None):
        raise typer.BadParameter("give one of --older-than DURATION and --cluster ID")
    shown = partial(_shown, batch=batch, hidden=as_json)
    if cluster is not None:
        _purge_cluster(cluster, batch, shown, dry_run=dry_run, as_json=as_json)
    elif older_than is not None:
        _purge_old(_age(older_than), batch, shown, dry_run=dry_run, as_json=as_json)


def _purge_cluster(
    cluster: UUID, batch: int, shown: "partial[int]", *, dry_run: bool, as_json: bool
) -> None:
    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.operations import retention

    with database("relay purge-events", patience_seconds=retention.PATIENCE_SECONDS) as connection:
        found = retention.count_cluster(connection, cluster)
        batches = retention.purge_cluster(connection, cluster, batch)
        deleted = 0 if dry_run else shown(batches, "events", found)
    if as_json:
        counts = {"found": found, "deleted": deleted}
        print_json({"cluster": str(cluster)} | counts | {"dry_run": dry_run})
    elif dry_run:
        typer.echo(f"{found:,} events of cluster {cluster} match.\n{_NOTHING}")
    else:
        typer.echo(f"{deleted:,} events of cluster {cluster} were deleted.")


def _purge_old(
    age: timedelta, batch: int, shown: "partial[int]", *, dry_run: bool, as_json: bool
) -> None:
    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.operations import retention

    with database("relay purge-events", patience_seconds=retention.PATIENCE_SECONDS) as connection:
        before = retention.cutoff(connection, age)
        found = retention.count(connection, before)
        limits_found = retention.count_limits(connection, before)
        deleted = limits_deleted = 0
        if not dry_run:
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
        typer.echo(_NOTHING)
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
