"""Whether a relay could work with what it is given, found out before one is started."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from relay.database import schema
from relay.database.session import connected
from relay.errors import ConfigurationError, DatabaseUnavailableError, SchemaError
from relay.settings import DatabaseSettings, KafkaSettings, load, unknown_variables

Outcome = Literal["ok", "warning", "failed", "skipped"]

OLDEST_POSTGRESQL = 14
BROKER_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. A failure has the exit code that stands for it."""

    subject: str
    outcome: Outcome
    detail: str
    exit_code: int = 0


def findings() -> Iterator[Finding]:
    """Look at configuration, database, schema and, where streaming is on, broker and topic.

    An unreachable broker or a missing topic is a warning: the relay starts nevertheless.
    """
    yield from (Finding("environment", "warning", each) for each in unknown_variables())
    try:
        settings = load(
            database=True, stream=True, relay=True, events=True, kafka_faults=_kafka_faults
        )
    except ConfigurationError as error:
        for fault in error.faults:
            yield Finding("configuration", "failed", fault, error.exit_code)
        yield from skipped("without a valid configuration", "database", "schema", "broker", "topic")
        return
    switched = "on" if settings.streaming else "off"
    preset = settings.events.stream_preset.value
    detail = f"valid; event streaming is {switched}, with the preset {preset}"
    yield Finding("configuration", "ok", detail)
    yield from _database(settings.database)
    if settings.streaming:
        yield from _stream(settings.kafka)
    else:
        yield from skipped("while ENABLE_EVENT_STREAMING is off", "broker", "topic")


def exit_code(found: Sequence[Finding], *, strict: bool = False) -> int:
    """Return the code of the first failure; 1 for a warning where *strict*; else 0."""
    failed = next((finding.exit_code for finding in found if finding.outcome == "failed"), 0)
    warned = any(finding.outcome == "warning" for finding in found)
    return failed or int(strict and warned)


def _kafka_faults(kafka: KafkaSettings) -> Iterator[str]:
    # Slow to import, and needed only where Kafka is in use.
    from relay.daemon.kafka.property_faults import property_faults  # noqa: PLC0415

    return property_faults(kafka)


def skipped(reason: str, *subjects: str) -> Iterator[Finding]:
    """Return a finding for each of *subjects*, which were not looked at for *reason*."""
    return (Finding(subject, "skipped", f"not looked at {reason}") for subject in subjects)


def _database(database: DatabaseSettings) -> Iterator[Finding]:
    try:
        with connected(database.conninfo(), "relay check") as connection:
            major = connection.info.server_version // 10_000
            if major < OLDEST_POSTGRESQL:
                advice = f"PostgreSQL {major} is too old: use {OLDEST_POSTGRESQL} or later"
                yield Finding("database", "failed", advice, SchemaError.exit_code)
            else:
                yield Finding("database", "ok", f"PostgreSQL {major} at {database.address()}")
            schema.verify(connection)
            yield Finding("schema", "ok", f"fits version {schema.SCHEMA_VERSION}")
    except DatabaseUnavailableError as error:
        yield Finding("database", "failed", str(error), error.exit_code)
        yield from skipped("without a database", "schema")
    except SchemaError as error:
        yield Finding("schema", "failed", str(error), error.exit_code)


def _stream(kafka: KafkaSettings) -> Iterator[Finding]:
    # Slow to import, and not needed by the other commands.
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
        reason = heard[0] if heard else error.args[0].str()
        yield Finding(
            "broker",
            "warning",
            f"no answer from {kafka.bootstrap_server} within {BROKER_SECONDS:g} s: {reason}. The "
            "relay starts nevertheless; rows wait in the outbox until the broker answers. Check "
            "KAFKA_BOOTSTRAP_SERVER and the credential.",
        )
        yield from skipped("without a broker", "topic")
        return
    yield Finding("broker", "ok", f"{kafka.bootstrap_server}, {len(known.brokers)} in the cluster")
    topic = known.topics.get(kafka.event_stream_topic or "")
    if topic is None or topic.error is not None:
        yield Finding(
            "topic",
            "warning",
            f"{kafka.event_stream_topic} does not exist, or this client may not see it. Create it "
            "(relay create-topic), or let the client describe and write it; its rows wait in the "
            "outbox until then.",
        )
    else:
        yield Finding("topic", "ok", f"{topic.topic}, {len(topic.partitions)} partitions")
