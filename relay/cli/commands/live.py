# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import typer


def live() -> None:
    """Ask the relay or the API that runs here whether it is alive: a container's health check.

    Looks at /livez on RELAY_METRICS_PORT, then on RELAY_API_PORT, and exits 1 where that does not
    say so.
    """
    from relay.operations.liveness import ask
    from relay.settings import ApiSettings, MetricsSettings
    from relay.settings.group import read

    # Unchecked: where the API cannot work it does not run, and a relay needs none of it.
    typer.echo(ask(read(MetricsSettings, []), read(ApiSettings, [])))
