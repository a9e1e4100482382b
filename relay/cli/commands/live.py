import typer

from relay.cli.options import AsJson


def live(*, as_json: AsJson = False) -> None:
    """Check that the relay, the API or the console in this container is alive.

    Asks /livez on RELAY_METRICS_PORT, RELAY_API_PORT and RELAY_CONSOLE_PORT, in this order. Exits 1
    if none answers that it is alive. Serves as a container's health check.
    """
    from relay.cli.printout.json_lines import print_json
    from relay.operations.liveness import NotAliveError, ask
    from relay.settings import ApiSettings, ConsoleSettings, MetricsSettings
    from relay.settings.group import read

    # Unchecked: what cannot work does not run, and a relay needs none of the others.
    metrics, api = read(MetricsSettings, []), read(ApiSettings, [])
    console = read(ConsoleSettings, [])
    try:
        answer = ask(
            [(metrics.host, metrics.port), (api.address, api.port), (console.address, console.port)]
        )
    except NotAliveError as error:
        if as_json:
            print_json({"alive": False, "answer": str(error)})
        raise
    if as_json:
        print_json({"alive": True, "answer": answer})
    else:
        typer.echo(answer)
