# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer

from relay.cli.commands.options import AsJson


def demo(
    *,
    events: Annotated[int, typer.Option(min=1, help="How many events to write.")] = 300,
    seed: Annotated[
        int | None, typer.Option(help="Repeat the same installation; else a new one each time.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it all running until Ctrl-C, to try commands on.")
    ] = False,
    servers: Annotated[
        bool,
        typer.Option(
            "--servers", help="Only start an empty PostgreSQL and a broker; until Ctrl-C."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate an installation, relay it with real processes, and count what arrived.

    Needs no server: PostgreSQL and a broker are started for it, and removed afterwards. With
    --servers nothing else is, to be used by your own service; where they are is printed as a shell
    reads it.
    """
    from relay.demo import run

    if not servers:
        raise typer.Exit(run.demo(events=events, json=as_json, seed=seed, keep=keep))
    if keep or as_json:
        raise typer.BadParameter("--servers simulates nothing: leave --keep and --json out")
    run.servers()
