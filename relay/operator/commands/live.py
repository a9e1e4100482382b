# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import typer


def live() -> None:
    """Ask the relay that runs here whether it is alive: the health check of its container.

    Looks at /livez on RELAY_METRICS_PORT, and exits 1 where that does not say so.
    """
    from relay.operator.liveness import ask
    from relay.settings import load

    typer.echo(ask(load().relay))
