"""Whether Kafka takes what waits: the topics, the rights on them, and their limits."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,
    AdminClient,
    ConfigResource,
    ResourceType,
    TopicDescription,
)

from relay.daemon.kafka.properties import client_properties
from relay.database.session import bounded, connected
from relay.operations.preflight import BROKER_SECONDS, Finding
from relay.operations.queries import doctor as queries
from relay.settings import Settings

ROWS_LOOKED_AT: Final = 100_000
_NEEDED: Final = {AclOperation.WRITE: "Write", AclOperation.DESCRIBE: "Describe"}


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the default topic, and at each that rows wait for.

    Raises:
        DatabaseUnavailableError: there is no connection, or it broke.
    """
    default = settings.kafka.event_stream_topic or ""
    with connected(settings.database.conninfo(), "relay doctor") as connection, bounded(connection):
        waiting = {"topic": default, "limit": ROWS_LOOKED_AT}
        largest: dict[str, int] = {default: 0, **dict(connection.execute(queries.WAITING, waiting))}
        drawn, _ = connection.execute(queries.DRAWN).fetchone() or (0, 0)
    properties: dict[str, Any] = {**client_properties(settings.kafka), "log_level": 0}
    admin = AdminClient(properties)
    described = admin.describe_topics(
        TopicCollection(list(largest)),
        include_authorized_operations=True,
        request_timeout=BROKER_SECONDS,
    )
    for topic, answer in described.items():
        try:
            description = answer.result()
        except KafkaException as error:
            if topic != default:  # of which the preflight has told
                yield _missing(topic, error)
            continue
        yield _rights(topic, description)
        yield _limit(topic, admin, largest[topic], settings.relay.max_message_bytes)
        if topic == default:
            yield _sequence(topic, drawn, properties)


def _missing(topic: str, error: KafkaException) -> Finding:
    advice = "create it, or let this client Write and Describe it; its rows wait"
    return Finding(f"topic {topic}", "warning", f"{error.args[0].str()}: {advice}")


def _rights(topic: str, description: TopicDescription) -> Finding:
    subject = f"rights on {topic}"
    granted = description.authorized_operations
    if not granted:
        return Finding(subject, "skipped", "the broker does not tell")
    missing = [name for operation, name in _NEEDED.items() if operation not in granted]
    if missing:
        advice = f"allow this client {' and '.join(missing)} on the topic; its rows wait until then"
        return Finding(subject, "failed", advice, 1)
    return Finding(subject, "ok", "Write and Describe")


def _limit(topic: str, admin: AdminClient, largest: int, given: int | None) -> Finding:
    subject = f"size limit of {topic}"
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        asked = admin.describe_configs([resource], request_timeout=BROKER_SECONDS)
        limit = int(asked[resource].result()["max.message.bytes"].value)
    except KafkaException as error:
        advice = f"unknown ({error.args[0].str()}): allow DescribeConfigs on the topic"
        if given is None:
            return Finding(subject, "warning", f"{advice}, or set RELAY_MAX_MESSAGE_BYTES to it")
        return Finding(subject, "ok", f"{given:,} bytes, as RELAY_MAX_MESSAGE_BYTES says")
    if given is not None and given > limit:
        advice = f"RELAY_MAX_MESSAGE_BYTES is {given:,}, and the topic takes only {limit:,}"
        return Finding(subject, "warning", f"{advice}: leave it out, or lower it")
    if largest > limit:
        advice = (
            f"{limit:,} bytes, and a row of {largest:,} waits, which will be parked: raise the "
            "topic's max.message.bytes"
        )
        return Finding(subject, "warning", advice)
    return Finding(subject, "ok", f"{limit:,} bytes; the largest row that waits has {largest:,}")


def _sequence(topic: str, drawn: int, properties: Mapping[str, Any]) -> Finding:
    """Compare the sequence with the last messages: a restored backup may lie behind them."""
    subject = f"seq on {topic}"
    try:
        highest = max(_last_seqs(topic, properties), default=0)
    except KafkaException as error:
        return Finding(subject, "skipped", f"the topic may not be read ({error.args[0].str()})")
    if highest > drawn:
        advice = (
            f"the topic has seq {highest}, and outbox_id_seq is at {drawn}: a backup was restored, "
            "or another outbox publishes there. Consumers would take new snapshots for old ones. "
            f"Before anybody writes, as the owner: SELECT setval('outbox_id_seq', {highest})"
        )
        return Finding(subject, "failed", advice, 1)
    return Finding(subject, "ok", f"the last messages have up to {highest}, not beyond the outbox")


def _last_seqs(topic: str, properties: Mapping[str, Any]) -> Iterator[int]:
    consumer = Consumer({**properties, "group.id": "relay-doctor", "enable.auto.commit": False})
    try:
        lasts = []
        for number in consumer.list_topics(topic, BROKER_SECONDS).topics[topic].partitions:
            partition = TopicPartition(topic, number)
            low, high = consumer.get_watermark_offsets(partition, BROKER_SECONDS)
            if high > low:
                lasts.append(TopicPartition(topic, number, high - 1))
        consumer.assign(lasts)
        for message in consumer.consume(len(lasts), BROKER_SECONDS) if lasts else ():
            if (error := message.error()) is not None:
                raise KafkaException(error)
            seq = dict(message.headers() or ()).get("seq")
            if isinstance(seq, bytes) and seq.isdigit():
                yield int(seq)
    finally:
        consumer.close()
