# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer


def migrate(
    *,
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
    from relay.database.schema import SCHEMA_VERSION
    from relay.settings import DatabaseSettings, LogSettings, required

    log = required(LogSettings)
    database = required(DatabaseSettings)
    logs.configure(log.level, log.format)
    applied = migration.migrate(database.conninfo(), wait_seconds=wait, again=again)
    done = "are" if applied else "were already"
    typer.echo(f"The outbox tables {done} at version {SCHEMA_VERSION}.")
