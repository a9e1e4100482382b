"""The command line. What a command needs is imported inside it, so that the relay stays small."""

# ruff: noqa: PLC0415

import json
import sys
from enum import StrEnum
from importlib.metadata import version
from typing import Annotated

import psycopg
import typer

from relay.errors import RelayError

EXIT_CODES = (
    "Exit codes: 0 fine; 1 failed; 2 the configuration, the command line or the schema is wrong; "
    "3 the database cannot be reached."
)

app = typer.Typer(
    name="relay",
    help="Publishes a transactional outbox from PostgreSQL to Kafka. Settings come from the "
    "environment.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and secrets with them.
    pretty_exceptions_enable=False,
)


def _epilog(example: str) -> str:
    return f"Example: {example}\n\n{EXIT_CODES}"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


class KeyOrder(StrEnum):
    """What puts a key on top of the list."""

    ROWS = "rows"
    AGE = "age"


def main() -> None:
    """Run the command line and end the process with the exit code that the help describes."""
    try:
        app()
    except RelayError as error:
        _end(str(error), error.exit_code)
    except psycopg.Error as error:
        # Without its details, which may quote a row.
        said = error.diag.message_primary or type(error).__name__
        _end(f"PostgreSQL refused a statement: {said}", 1)


def _end(message: str, code: int) -> None:
    typer.echo(f"relay: {message}", err=True)
    sys.exit(code)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if wanted:
        from relay.schema import SCHEMA_VERSION

        typer.echo(f"relay {version('outbox-relay')} (schema version {SCHEMA_VERSION})")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    pass


@app.command(epilog=_epilog("DATABASE_URL=postgresql://… relay run"))
def run() -> None:
    """Relay the outbox until SIGTERM, in the foreground; the log goes to standard error."""
    from relay import logs
    from relay.daemon import lifecycle
    from relay.settings import load

    settings = load(database=True, stream=True)
    logs.configure(settings.relay.log_level, settings.relay.log_format)
    raise typer.Exit(lifecycle.run(settings))


@app.command(epilog=_epilog("relay check --json"))
def check(
    *,
    as_json: Json = False,
    strict: Annotated[bool, typer.Option(help="Exit 1 where there are warnings.")] = False,
) -> None:
    """Find out whether a relay could work: configuration, database, schema, broker and topic.

    A broker that does not answer and a topic that is missing are warnings, with exit code 0: the
    relay starts nevertheless, and rows wait in the outbox.
    """
    from dataclasses import asdict

    from relay.operator.preflight import exit_code, findings

    found = list(findings())
    code = exit_code(found, strict=strict)
    if as_json:
        typer.echo(json.dumps({"exit_code": code, "findings": [asdict(each) for each in found]}))
    else:
        from relay.operator.printout import print_findings

        print_findings(found)
    for finding in found:
        if finding.outcome in {"failed", "warning"}:
            typer.echo(f"relay: {finding.outcome}: {finding.subject}: {finding.detail}", err=True)
    raise typer.Exit(code)


@app.command(epilog=_epilog("relay migrate --wait 60"))
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
    from relay.operator import schema
    from relay.schema import SCHEMA_VERSION
    from relay.settings import load

    settings = load(database=True)
    logs.configure(settings.relay.log_level, settings.relay.log_format)
    applied = schema.migrate(settings.database.conninfo(), wait_seconds=wait, again=again)
    done = "are" if applied else "were already"
    typer.echo(f"The outbox tables {done} at version {SCHEMA_VERSION}.")


@app.command(epilog=_epilog("relay status --by age --keys 20"))
def status(
    *,
    as_json: Json = False,
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
    from relay.operator.inspection import inspect
    from relay.settings import load

    found = inspect(load(database=True).database, keys=keys, order=by.value, parked=parked)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), default=_as_text))
    else:
        from relay.operator.printout import print_status

        print_status(found, all_shards=all_shards)


@app.command(epilog=_epilog("relay demo --events 500 --json"))
def demo(
    *,
    events: Annotated[int, typer.Option(min=1, help="How many events to write.")] = 300,
    seed: Annotated[
        int | None, typer.Option(help="Repeat the same installation; else a new one each time.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate an installation, relay it with real processes, and count what arrived.

    Needs no server: PostgreSQL and a broker are started for it, and removed afterwards.
    """
    from relay.demo import run

    raise typer.Exit(run.demo(events=events, json=as_json, seed=seed))


def _as_text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
