"""Table of all commands, and the exit code of each end."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]

from relay.cli.commands.api import api
from relay.cli.commands.audit import audit
from relay.cli.commands.check import check
from relay.cli.commands.completion import completion
from relay.cli.commands.console import console
from relay.cli.commands.create_topic import create_topic
from relay.cli.commands.demo import demo
from relay.cli.commands.discard import discard
from relay.cli.commands.doctor import doctor
from relay.cli.commands.events import events
from relay.cli.commands.history import history
from relay.cli.commands.list_rows import list_rows
from relay.cli.commands.live import live
from relay.cli.commands.migrate import migrate
from relay.cli.commands.pausing import pause, resume
from relay.cli.commands.purge_events import purge_events
from relay.cli.commands.redirect import redirect
from relay.cli.commands.replay import replay
from relay.cli.commands.requeue import requeue
from relay.cli.commands.restore import restore
from relay.cli.commands.run import run
from relay.cli.commands.show import show
from relay.cli.commands.status import status
from relay.cli.commands.top import top
from relay.cli.commands.triggers import triggers
from relay.cli.option_groups import spread
from relay.database.schema import SCHEMA_VERSION
from relay.database.session import explained
from relay.errors import RelayError
from relay.settings import unknown_variables

EXIT_CODES = (
    "Exit codes: 0 success; 1 failure; 2 wrong configuration, command line or schema; "
    "3 database unavailable."
)

app = typer.Typer(
    name="relay",
    help="Publish a transactional outbox from PostgreSQL to Kafka. Settings come from the "
    "environment.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    # `relay completion` prints the script, and installs nothing.
    add_completion=False,
    # Paragraphs are filled, and brackets are no markup.
    rich_markup_mode="markdown",
    # Its tracebacks show local variables, and secrets with them.
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line and end the process with the exit code that the help describes."""
    # The shells' protocols; `add_completion` would register them, and add options for them.
    completion_init()
    try:
        with explained():
            app()
    except RelayError as error:
        typer.echo(f"relay: {error}", err=True)
        sys.exit(error.exit_code)


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
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    # Others say it in their log or among their findings, or run at each start of a shell.
    if context.invoked_subcommand not in {"run", "api", "console", "check", "doctor", "completion"}:
        for warning in unknown_variables():
            typer.echo(f"relay: warning: {warning}", err=True)


def _add(panel: str, command: Callable[..., None], example: str, name: str | None = None) -> None:
    epilog = f"Example: `{example}`\n\n{EXIT_CODES}"
    app.command(name, rich_help_panel=panel, epilog=epilog)(spread(command))


_add("Run", run, "DATABASE_URL=postgresql://… relay run")
_add("Run", api, "RELAY_API_AUTHENTICATION=off relay api")
_add("Run", console, "relay console")

_add("Look", status, "relay status --by age --keys 20")
_add("Look", top, "relay top --every 1")
_add("Look", list_rows, "relay list --state parked --older-than 1h", "list")
_add("Look", history, "relay history --as ann --action discard")
_add("Look", show, "relay show 4711 --payload")
_add("Look", doctor, "relay doctor --json")
_add("Look", check, "relay check --strict")
_add("Look", live, "relay live")
_add("Look", audit, "relay audit --since 2026-01-31 --json")

_add("Change", requeue, 'relay requeue --topic audit --confirm 12 --reason "the topic is back"')
_add("Change", discard, 'relay discard 4711 --save 4711.jsonl --reason "test data"')
_add("Change", restore, 'relay restore 4711.jsonl --reason "it was no test data"')
_add(
    "Change", redirect,
    'relay redirect --from-topic evnets --to-topic events --confirm 3 --reason "misspelt"',
)  # fmt: skip
_add("Change", pause, 'relay pause --key 6fd3 --reason "its consumer is down"')
_add("Change", resume, 'relay resume --all --reason "the consumer is back"')
_add("Change", replay, "relay replay --since 2026-01-31 --outbox myservice.db:outbox --dry-run")
_add("Change", purge_events, "relay purge-events --older-than 90d --dry-run")

_add("Set up", migrate, "relay migrate --wait 60")
_add("Set up", create_topic, "relay create-topic --partitions 12 --config min.insync.replicas=2")
_add("Set up", triggers, "relay triggers clusters --key id --columns name,status | psql")
_add("Set up", completion, "source <(relay completion bash)")

_add("Develop", demo, "relay demo --events 500 --json")
_add("Develop", events, "relay events myservice.events --markdown > docs/event-catalogue.md")
