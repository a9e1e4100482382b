import typer


def run() -> None:
    """Relay the outbox until SIGTERM, in the foreground.

    Any number of relays may run. The log goes to standard error.
    """
    from relay import logs
    from relay.daemon import lifecycle
    from relay.daemon.kafka.property_faults import property_faults
    from relay.settings import load, unknown_variables

    settings = load(database=True, stream=True, relay=True, kafka_faults=property_faults)
    logs.configure(settings.log.level, settings.log.format)
    logs.warn(unknown_variables())
    raise typer.Exit(lifecycle.run(settings))
