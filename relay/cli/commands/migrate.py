from typing import Annotated, Literal

import typer

from relay.cli.options import AsJson


def migrate(
    *,
    phase: Annotated[
        Literal["pre", "post"],
        typer.Option(
            help="pre: before a rollout, safe beside the release before. post: after it, drops "
            "what that release used."
        ),
    ] = "pre",
    schema: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Schema of the tables, created if it does not exist. Default: OUTBOX_SCHEMA, else "
            "where they are, else the first of the search_path.",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest time to try for the locks.")
    ] = 300.0,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Apply everything again, for example after roles were created."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create the outbox tables, or upgrade them to this release's version.

    Safe at any time, several times at once, and beside writers: where others use the tables it
    lets them go first, and tries again.
    """
    from relay import logs
    from relay.cli.printout.json_lines import print_json
    from relay.database import migration
    from relay.database.migrations import Phase
    from relay.database.schema import SCHEMA_VERSION
    from relay.formats import format_of
    from relay.settings import DatabaseSettings, EventSettings, LogSettings, required

    log = required(LogSettings)
    database = required(DatabaseSettings)
    states = format_of(required(EventSettings).stream_preset).states
    logs.configure(log.level, log.format)
    migrated = migration.migrate(
        database.conninfo(),
        phase=Phase(phase),
        wait_seconds=wait,
        again=again,
        into=schema or database.outbox_schema,
        states=states,
    )
    if as_json:
        waiting = list(migrated.waiting)
        print_json({"version": SCHEMA_VERSION, "changed": migrated.changed, "waiting": waiting})
        return
    done = "are" if migrated.changed else "were already"
    typer.echo(f"The outbox tables {done} at version {SCHEMA_VERSION}.")
    if migrated.waiting:
        typer.echo(
            f"Waiting: {', '.join(migrated.waiting)}. When no relay, service or API of the release "
            "before runs any more: relay migrate --phase post"
        )
