# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer


def create_topic(
    *,
    partitions: Annotated[
        int, typer.Option(min=-1, help="How many; -1 is the broker's default.")
    ] = -1,
    replicas: Annotated[
        int, typer.Option(min=-1, help="Copies of each; -1 is the broker's default.")
    ] = -1,
    config: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A property of the topic; may be repeated."),
    ] = None,
) -> None:
    """Create the topic of KAFKA_EVENT_STREAM_TOPIC, unless it is there; then nothing is changed.

    A consumer that joins before its topic exists may never notice it, and keys move when partitions
    are added later: so choose the partitions, and run this before the first of either.
    """
    from relay.errors import ConfigurationError
    from relay.operations import topic
    from relay.settings import load

    settings = load(stream=True)
    if not settings.streaming:
        raise ConfigurationError(["ENABLE_EVENT_STREAMING is off: set it to true for this command"])
    properties = dict(_property(text) for text in config or ())
    made = topic.create(settings.kafka, partitions=partitions, replicas=replicas, config=properties)
    name = settings.kafka.event_stream_topic
    typer.echo(f"The topic {name} {'was created' if made else 'was there already'}.")


def _property(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise typer.BadParameter(f"{text!r}: write NAME=VALUE, such as retention.ms=604800000")
    return name, value
