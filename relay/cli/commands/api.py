from typing import Annotated

import typer

Workers = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Number of processes. Default: RELAY_API_WORKERS, else 1."),
]


def api(workers: Workers = None) -> None:
    """Serve the events over REST until SIGTERM, in the foreground.

    Requests need a signed JWT: set RELAY_API_JWKS, RELAY_API_ISSUER and RELAY_API_AUDIENCE. The
    pages are /docs (OpenAPI), /metrics, /livez and /readyz. The log goes to standard error. Needs
    an extra: `pip install 'outbox-relay[api]'`.
    """
    from relay import logs
    from relay.service.api.serving import server
    from relay.settings import load, unknown_variables

    settings = load(database=True, stream=True, api=True)
    if workers is not None:
        served = settings.api.model_copy(update={"workers": workers})
        settings = settings.model_copy(update={"api": served})
    logs.configure(settings.log.level, settings.log.format)
    logs.warn(unknown_variables())
    raise typer.Exit(server.run(settings))
