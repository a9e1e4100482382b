from typing import Annotated

import typer

from relay.cli.options import AsJson


def demo(
    *,
    events: Annotated[int, typer.Option(min=1, help="Number of events to write.")] = 300,
    seed: Annotated[
        int | None, typer.Option(help="Seed that repeats an installation; random by default.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep everything running until Ctrl-C, to try commands.")
    ] = False,
    console: Annotated[
        bool,
        typer.Option("--console", help="Keep everything running, and open it in the console."),
    ] = False,
    servers: Annotated[
        bool,
        typer.Option(
            "--servers", help="Only start an empty PostgreSQL and a broker, until Ctrl-C."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play five acts of a simulated installation with real processes, and count what arrives.

    A relay is killed, Kafka goes away, a row is parked, a transaction rolls back; with --json there
    are no faults. Starts its own PostgreSQL and broker, and removes them afterwards. With --servers
    your own service uses them: their addresses are printed as shell variables.
    """
    from relay.demo import run

    if not servers:
        code = run.demo(events=events, json=as_json, seed=seed, keep=keep, console=console)
        raise typer.Exit(code)
    if keep or as_json or console:
        raise typer.BadParameter("--servers simulates nothing: leave the other options out")
    run.servers()
