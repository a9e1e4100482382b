import typer


def api() -> None:
    """Serve the events over REST until SIGTERM, in the foreground.

    Requests need a signed JWT: set RELAY_API_JWKS, RELAY_API_ISSUER and RELAY_API_AUDIENCE. The
    pages are /docs (OpenAPI), /metrics, /livez and /readyz. The log goes to standard error. Needs
    an extra: `pip install 'outbox-relay[api]'`.
    """
    from relay import logs
    from relay.errors import ConfigurationError
    from relay.settings import load, unknown_variables

    settings = load(database=True, stream=True, api=True)
    logs.configure(settings.log.level, settings.log.format)
    logs.warn(unknown_variables())
    try:
        from relay.service.api.serving import server
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed: pip install 'outbox-relay[api]'"
        raise ConfigurationError([missing]) from None
    raise typer.Exit(server.run(settings))
