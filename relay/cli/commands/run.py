# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import typer


def run() -> None:
    """Relay the outbox until SIGTERM, in the foreground; the log goes to standard error."""
    from relay import logs
    from relay.daemon import lifecycle
    from relay.settings import load

    settings = load(database=True, stream=True)
    logs.configure(settings.relay.log_level, settings.relay.log_format)
    raise typer.Exit(lifecycle.run(settings))
