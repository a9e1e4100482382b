from typing import Annotated

import typer

from relay.cli.options import AsJson


def create_topic(
    *,
    topic: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another topic than that of the stream.")
    ] = None,
    partitions: Annotated[
        int, typer.Option(min=-1, help="Number of partitions; -1 is the broker's default.")
    ] = -1,
    replicas: Annotated[
        int, typer.Option(min=-1, help="Copies of each partition; -1 is the broker's default.")
    ] = -1,
    config: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Property of the topic; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the topic of KAFKA_EVENT_STREAM_TOPIC, or another one; an existing one stays as it is.

    Run it before the first consumer and the first relay, with enough partitions: a consumer that
    joins before its topic exists may never notice it, and partitions that are added later move
    keys.
    """
    from relay.cli.printout.json_lines import print_json
    from relay.errors import ConfigurationError
    from relay.operations.topic import create
    from relay.settings import load

    settings = load(stream=True)
    if not settings.streaming:
        raise ConfigurationError(["ENABLE_EVENT_STREAMING is off: set it to true for this command"])
    properties = dict(_property(text) for text in config or ())
    name = topic or settings.kafka.event_stream_topic or ""
    made = create(settings.kafka, name, partitions=partitions, replicas=replicas, config=properties)
    if as_json:
        print_json({"topic": name, "created": made})
    else:
        end = "was created." if made else "exists already; nothing was changed."
        typer.echo(f"The topic {name} {end}")


def _property(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise typer.BadParameter(f"{text!r}: write NAME=VALUE, such as retention.ms=604800000")
    return name, value
