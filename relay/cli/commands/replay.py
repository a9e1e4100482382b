from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from relay.cli.options import AsJson, in_utc

if TYPE_CHECKING:
    from relay.operations.replay import Replay


def replay(  # noqa: PLR0913 - options of a command
    *,
    cluster: Annotated[UUID | None, typer.Option(help="Only this cluster.")] = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="KIND:ID", help="Only events of this, of your own domain: order:42."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only events that happened since (UTC).")
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Only stored events.")] = False,
    snapshots: Annotated[bool, typer.Option("--snapshots", help="Only current states.")] = False,
    outbox: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="The service's Outbox, whose classes it tracks."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the messages; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish current states and stored events again, for a consumer that lost its data.

    States come first: of tables with a trigger (`relay triggers`), and with --outbox of tracked
    classes. States have no time, so --since selects among events alone. Every message has the
    header `replay`; an event keeps its id, a state gets a new seq. Needs --cluster, --subject or
    --since, the roles outbox_payload_reader and outbox_writer, and UPDATE on the tables whose rows
    it locks.
    """
    from collections import Counter

    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.progress import counting
    from relay.operations.replay import Replay

    if cluster is None and since is None and subject is None:
        raise typer.BadParameter(
            "the extent is missing: give --cluster ID, --subject KIND:ID or --since TIME"
        )
    kind, colon, identity = (subject or "").partition(":")
    if subject is not None and (snapshots or not (kind and colon and identity)):
        raise typer.BadParameter("--subject is KIND:ID, as in order:42, and of events alone")
    events = events or subject is not None
    both = events == snapshots
    counts: Counter[str] = Counter()
    with counting("messages") as progress:

        def seen(name: str, count: int) -> None:
            counts[name] += count
            progress.add(count)

        wanted = Replay(
            cluster, in_utc(since), dry_run, seen, (kind, identity) if subject else None
        )
        _replay(wanted, outbox, events=events or both, states=snapshots or both)
    total = counts.total()
    if as_json:
        print_json({"dry_run": dry_run, "replayed": dict(counts), "total": total})
        return
    for name, count in counts.items():
        typer.echo(f"{count:>10,}  {name}")
    if dry_run:
        typer.echo(f"{total:,} messages match; nothing was written. Repeat without --dry-run.")
    else:
        typer.echo(f"{total:,} messages were put on the stream again.")
    if since and (snapshots or both):
        typer.echo("--since selected among the events alone: states have no time.")


def _replay(wanted: "Replay", source: str | None, *, events: bool, states: bool) -> None:
    from relay.cli.database import database
    from relay.cli.modules import outbox_named
    from relay.formats import envelope, format_of
    from relay.operations.replay import require_streaming
    from relay.service.composer import Composer
    from relay.service.redaction.redactor import Redactor
    from relay.settings import load

    settings = load(database=True, events=True)
    named = outbox_named(source) if source else None
    with database("relay replay", settings) as connection:
        require_streaming(connection)
        if states:
            wanted.tables(connection)
            if named is not None:
                wanted.outbox(connection, named)
        if events:
            form = format_of(settings.events.stream_preset)
            metadata = envelope.metadata(form.versions(settings.versions))
            redactor = Redactor.from_environment()
            wanted.events(connection, Composer(format=form, metadata=metadata, redactor=redactor))
