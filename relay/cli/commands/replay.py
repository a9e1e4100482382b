# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from relay.cli.commands.options import AsJson

if TYPE_CHECKING:
    from relay.service.outbox import Outbox


def replay(
    *,
    cluster: Annotated[UUID | None, typer.Option(help="What belongs to this cluster.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Events that happened from then on (UTC).")
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Only stored events.")] = False,
    snapshots: Annotated[bool, typer.Option("--snapshots", help="Only current states.")] = False,
    outbox: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="The service's Outbox, for what it tracks."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what it would be, and write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put current states and stored events back on the stream, for who lost its data.

    States come first: those of tables with a trigger of `relay triggers`, and with --outbox those
    of the classes it tracks. States have no time, so --since is about events. Every message has the
    header `replay`; an event has its old id, a state a new seq.

    Needs the roles outbox_payload_reader and outbox_writer, and UPDATE on the tables whose rows it
    locks FOR SHARE.
    """
    from datetime import UTC

    if cluster is None and since is None:
        raise typer.BadParameter("say what to replay: --cluster ID or --since TIME")
    start = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
    both = events == snapshots
    counts = _replayed(
        cluster, start, outbox, events=events or both, states=snapshots or both, dry_run=dry_run
    )
    total = sum(counts.values())
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "replayed": counts, "total": total}))
        return
    for name, count in counts.items():
        typer.echo(f"{count:>10,}  {name}")
    typer.echo(f"{total:,} messages {'would be' if dry_run else 'were'} put on the stream again.")
    if since and (snapshots or both):
        typer.echo("--since chose among the events alone: states have no time.")


def _replayed(
    cluster: UUID | None,
    since: datetime | None,
    source: str | None,
    *,
    events: bool,
    states: bool,
    dry_run: bool,
) -> dict[str, int]:
    from collections import Counter

    from relay.cli.printout.progress import counting
    from relay.database import schema
    from relay.database.session import connected
    from relay.errors import SchemaError
    from relay.formats import envelope, format_of
    from relay.operations.replay import Replay, outbox_named
    from relay.service.composer import Composer
    from relay.service.redaction.redactor import Redactor
    from relay.settings import load

    settings = load(database=True, events=True)
    conninfo = settings.database.conninfo()
    named: Outbox | None = outbox_named(source) if source else None
    counts: Counter[str] = Counter()
    with connected(conninfo, "relay replay") as connection, counting("messages") as progress:
        if not schema.verify(connection).streaming:
            raise SchemaError("Streaming is switched off, so nothing would publish a replay.")

        def seen(name: str, count: int) -> None:
            counts[name] += count
            progress.add(count)

        wanted = Replay(cluster, since, dry_run, seen)
        if states:
            wanted.tables(connection)
            if named is not None:
                wanted.outbox(named, conninfo)
        if events:
            form = format_of(settings.events.stream_preset)
            metadata = envelope.metadata(form.versions(settings.versions))
            redactor = Redactor.from_environment()
            composer = Composer(format=form, metadata=metadata, redactor=redactor)
            wanted.events(connection, composer)
    return dict(counts)
