"""The command line: every command, and how each of them ends."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import psycopg
import typer

from relay.cli.commands.api import api
from relay.cli.commands.audit import audit
from relay.cli.commands.check import check
from relay.cli.commands.create_topic import create_topic
from relay.cli.commands.demo import demo
from relay.cli.commands.discard import discard
from relay.cli.commands.doctor import doctor
from relay.cli.commands.events import events
from relay.cli.commands.list_rows import list_rows
from relay.cli.commands.live import live
from relay.cli.commands.migrate import migrate
from relay.cli.commands.pausing import pause, resume
from relay.cli.commands.purge_events import purge_events
from relay.cli.commands.replay import replay
from relay.cli.commands.requeue import requeue
from relay.cli.commands.run import run
from relay.cli.commands.show import show
from relay.cli.commands.status import status
from relay.cli.commands.triggers import triggers
from relay.database.schema import SCHEMA_VERSION
from relay.errors import RelayError
from relay.settings import unknown_variables

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
        typer.echo(f"relay {version('outbox-relay')} (schema version {SCHEMA_VERSION})")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    # Those with a log or with findings say it there.
    if context.invoked_subcommand not in {"run", "api", "check", "doctor"}:
        for warning in unknown_variables():
            typer.echo(f"relay: warning: {warning}", err=True)


def _add(command: Callable[..., None], example: str, name: str | None = None) -> None:
    app.command(name, epilog=f"Example: {example}\n\n{EXIT_CODES}")(command)


_add(run, "DATABASE_URL=postgresql://… relay run")
_add(check, "relay check --json")
_add(doctor, "relay doctor --json")
_add(migrate, "relay migrate --wait 60")
_add(create_topic, "relay create-topic --partitions 12 --config min.insync.replicas=2")
_add(status, "relay status --by age --keys 20")
_add(list_rows, "relay list --state parked --older-than 1h", "list")
_add(show, "relay show 4711 --payload")
_add(requeue, 'relay requeue --topic events-stream --confirm 12 --reason "the topic is back"')
_add(discard, 'relay discard 4711 --reason "test data"')
_add(pause, 'relay pause --key 6fd3 --reason "its consumer is down"')
_add(resume, 'relay resume --all --reason "the consumer is back"')
_add(api, "RELAY_API_AUTHENTICATION=off relay api")
_add(events, "relay events myservice.events --markdown > docs/event-catalogue.md")
_add(live, "relay live")
_add(demo, "relay demo --events 500 --json")
_add(purge_events, "relay purge-events --older-than 90d --dry-run")
_add(triggers, "relay triggers clusters --key id --columns name,status | psql $DATABASE_URL")
_add(audit, "relay audit --since 2026-01-31 --json")
_add(replay, "relay replay --since 2026-01-31 --outbox myservice.db:outbox --dry-run")
