# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import typer


def run() -> None:
    """Relay the outbox until SIGTERM, in the foreground; the log goes to standard error."""
    from relay import logs
    from relay.daemon import lifecycle
    from relay.daemon.kafka.property_faults import property_faults
    from relay.settings import load, unknown_variables

    settings = load(database=True, stream=True, relay=True, kafka_faults=property_faults)
    logs.configure(settings.log.level, settings.log.format)
    logs.warn(unknown_variables())
    raise typer.Exit(lifecycle.run(settings))
