# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated, Literal

import typer


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
        float, typer.Option(min=0, metavar="SECONDS", help="How long to try for the locks.")
    ] = 300.0,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Apply everything although the version is current, as after roles were created.",
        ),
    ] = False,
) -> None:
    """Create the outbox tables, or bring them to this release's version.

    May run at any time, and several times at once. Where others are using the tables it lets them
    go first, and tries again.
    """
    from relay import logs
    from relay.database import migration
    from relay.database.migrations import Phase
    from relay.database.schema import SCHEMA_VERSION
    from relay.settings import DatabaseSettings, LogSettings, required

    log = required(LogSettings)
    database = required(DatabaseSettings)
    logs.configure(log.level, log.format)
    migrated = migration.migrate(
        database.conninfo(),
        phase=Phase(phase),
        wait_seconds=wait,
        again=again,
        into=schema or database.outbox_schema,
    )
    done = "are" if migrated.changed else "were already"
    typer.echo(f"The outbox tables {done} at version {SCHEMA_VERSION}.")
    if migrated.waiting:
        typer.echo(
            f"Waiting: {', '.join(migrated.waiting)}. When no relay, service or API of the release "
            "before runs any more: relay migrate --phase post"
        )
