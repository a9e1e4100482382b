import typer


def console() -> None:
    """Serve the console for browsers until SIGTERM, in the foreground.

    Shows the outbox; changes nothing unless RELAY_CONSOLE_ACTIONS is on. Serves this machine alone
    unless people sign in: by RELAY_CONSOLE_OIDC_ISSUER, or RELAY_CONSOLE_PROXY_ADDRESSES. Needs
    the role outbox_reader, and an extra: `pip install 'outbox-relay[console]'`.
    """
    from relay import logs
    from relay.console import server
    from relay.settings import load, unknown_variables

    settings = load(database=True, stream=True, console=True)
    logs.configure(settings.log.level, settings.log.format)
    logs.warn(unknown_variables())
    raise typer.Exit(server.run(settings))
