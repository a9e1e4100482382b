"""Preflight: database, schema, broker and topic, as a relay needs them at its start."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from relay.database import schema
from relay.database.session import Connection
from relay.errors import SchemaError
from relay.operations.findings import Finding, skipped, unknown
from relay.settings import KafkaSettings, Settings

SUBJECTS: Final = ("database", "schema", "broker", "topic")
OLDEST_POSTGRESQL: Final = 14
BROKER_SECONDS: Final = 5.0


def configuration(settings: Settings) -> Finding:
    """Return the finding about settings that were read without a fault."""
    switched = "on" if settings.streaming else "off"
    preset = settings.events.stream_preset.value
    detail = f"valid; event streaming is {switched}, with the preset {preset}"
    return Finding("configuration", "ok", detail)


def examine(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Yield a finding about each of SUBJECTS.

    An unreachable broker or a missing topic is a warning: the relay starts nevertheless.
    """
    yield _server(connection)
    try:
        schema.verify(connection)
        yield Finding("schema", "ok", _fits(schema.waiting(connection)))
    except SchemaError as error:
        yield Finding(
            "schema", "failed", str(error), error.exit_code, "schema",
            "relay migrate" if "`relay migrate`" in str(error) else None,
        )  # fmt: skip
    yield from stream(settings)


def stream(settings: Settings) -> Iterator[Finding]:
    """Yield the findings about broker and topic, which need no database."""
    if settings.streaming:
        yield from _broker(settings.kafka)
    else:
        yield from skipped("while ENABLE_EVENT_STREAMING is off", "broker", "topic")


def _server(connection: Connection) -> Finding:
    info = connection.info
    major = info.server_version // 10_000
    if major < OLDEST_POSTGRESQL:
        advice = f"PostgreSQL {major} is too old: use {OLDEST_POSTGRESQL} or later"
        return Finding("database", "failed", advice, SchemaError.exit_code)
    return Finding("database", "ok", f"PostgreSQL {major} at {info.host}:{info.port}/{info.dbname}")


def _broker(kafka: KafkaSettings) -> Iterator[Finding]:
    # Slow to import, and not needed while streaming is off.
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    from relay.daemon.kafka.properties import client_properties  # noqa: PLC0415

    heard: list[str] = []

    def listen(error: KafkaError) -> None:
        heard.append(error.str())

    # Silent: what librdkafka would log is what it tells the listener.
    quiet: dict[str, Any] = {"error_cb": listen, "log_level": 0}
    client = AdminClient({**client_properties(kafka), **quiet})
    try:
        known = client.list_topics(timeout=BROKER_SECONDS)
    except KafkaException as error:
        client.poll(0)
        yield _no_answer(kafka, heard[0] if heard else error.args[0].str())
        yield from unknown("no broker answered", "topic")
        return
    yield Finding("broker", "ok", f"{kafka.bootstrap_server}, {len(known.brokers)} in the cluster")
    topic = known.topics.get(kafka.event_stream_topic or "")
    if topic is None or topic.error is not None:
        advice = (
            f"{kafka.event_stream_topic} does not exist, or this client may not see it; its rows "
            "wait in the outbox. Create it with `relay create-topic`, or allow this client "
            "Describe and Write."
        )
        command = f"relay create-topic --topic {kafka.event_stream_topic}"
        yield Finding("topic", "warning", advice, 0, "topic", command)
    else:
        yield Finding("topic", "ok", f"{topic.topic}, {len(topic.partitions)} partitions")


def _no_answer(kafka: KafkaSettings, reason: str) -> Finding:
    first = (kafka.bootstrap_server or "").split(",")[0]
    host, _, port = first.rpartition("://")[2].rpartition(":")
    advice = (
        f"no answer from {kafka.bootstrap_server} within {BROKER_SECONDS:g} s: {reason}. The relay "
        "starts nevertheless; rows wait in the outbox until the broker answers. Check "
        "KAFKA_BOOTSTRAP_SERVER and the credential."
    )
    return Finding("broker", "warning", advice, 0, "broker", f"nc -vz {host} {port}")


def _fits(waiting: Sequence[str]) -> str:
    fits = f"fits version {schema.SCHEMA_VERSION}"
    if not waiting:
        return fits
    return (
        f"{fits}; {', '.join(waiting)} waits: `relay migrate --phase post`, when nothing of the "
        "release before runs any more"
    )
