import typer

from relay.cli.options import AsJson


def live(*, as_json: AsJson = False) -> None:
    """Check that the relay or the API in this container is alive.

    Asks /livez on RELAY_METRICS_PORT, then on RELAY_API_PORT. Exits 1 if neither answers that it
    is alive. Serves as a container's health check.
    """
    from relay.cli.printout.json_lines import print_json
    from relay.operations.liveness import NotAliveError, ask
    from relay.settings import ApiSettings, MetricsSettings
    from relay.settings.group import read

    # Unchecked: where the API cannot work it does not run, and a relay needs none of it.
    metrics, api = read(MetricsSettings, []), read(ApiSettings, [])
    try:
        answer = ask([(metrics.host, metrics.port), (api.address, api.port)])
    except NotAliveError as error:
        if as_json:
            print_json({"alive": False, "answer": str(error)})
        raise
    if as_json:
        print_json({"alive": True, "answer": answer})
    else:
        typer.echo(answer)
