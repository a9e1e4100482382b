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
    servers: Annotated[
        bool,
        typer.Option(
            "--servers", help="Only start an empty PostgreSQL and a broker, until Ctrl-C."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate an installation, relay it with real processes, and count what arrives.

    Starts its own PostgreSQL and broker, and removes them afterwards. With --servers your own
    service uses them: their addresses are printed as shell variables.
    """
    from relay.demo import run

    if not servers:
        raise typer.Exit(run.demo(events=events, json=as_json, seed=seed, keep=keep))
    if keep or as_json:
        raise typer.BadParameter("--servers simulates nothing: leave --keep and --json out")
    run.servers()
