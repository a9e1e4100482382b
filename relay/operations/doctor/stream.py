"""The topics that rows wait for: rights on them, their limits, and the last `seq` there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Node,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,
    AdminClient,
    ConfigResource,
    ResourceType,
    TopicDescription,
)
from psycopg import errors

from relay.daemon.kafka.properties import client_properties
from relay.database.session import Connection, bounded
from relay.operations.findings import Finding, unknown
from relay.operations.outlook.remedies import for_hold, psql
from relay.operations.preflight import BROKER_SECONDS
from relay.operations.queries import doctor as queries
from relay.settings import KafkaSettings

ROWS_LOOKED_AT: Final = 100_000
_MAY_NOT_READ: Final = frozenset({
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
})  # fmt: skip
# For the envelope and Kafka's own bytes around a row.
_ROOM_BYTES: Final = 4_096
_NEEDED: Final = {AclOperation.WRITE: "Write", AclOperation.DESCRIBE: "Describe"}


def examine(
    connection: Connection, kafka: KafkaSettings, max_message_bytes: int | None
) -> Iterator[Finding]:
    """Yield findings about the default topic, and about each other topic that rows wait for."""
    default = kafka.event_stream_topic or ""
    largest = {default: 0}
    try:
        largest |= _waiting(connection, default)
    except errors.QueryCanceled:
        detail = f"not checked beside {default}: PostgreSQL did not answer in time. Repeat"
        yield Finding("topics of waiting rows", "unknown", detail)
    properties: dict[str, Any] = {**client_properties(kafka), "log_level": 0}
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
            yield from unknown(error.args[0].str(), "rights", "size limit", "seq")
            continue
        leaders = {each.id: cast("Node | None", each.leader) for each in description.partitions}
        yield from leaderless(topic, {n: node.id if node else None for n, node in leaders.items()})
        yield _coded("topic-rights", _rights(topic, description))
        yield _coded("size-limit", _limit(topic, admin, largest[topic], max_message_bytes))
        if topic == default:
            yield _coded("seq", _sequence(topic, properties, connection))


def _coded(code: str, finding: Finding) -> Finding:
    """Return *finding* with a code that stays the same whatever the topic is called."""
    return replace(finding, code=finding.code or code)


def _waiting(connection: Connection, default: str) -> dict[str, int]:
    """Return the size of the largest row that waits for each topic."""
    with bounded(connection):
        parameters = {"topic": default, "limit": ROWS_LOOKED_AT}
        return dict(connection.execute(queries.WAITING, parameters).fetchall())


def _missing(topic: str, error: KafkaException) -> Finding:
    advice = "create it, or let this client Write and Describe it; its rows wait"
    text = error.args[0].str()
    command = for_hold(topic, text)
    return Finding(f"topic {topic}", "warning", f"{text}: {advice}", 0, "topic", command)


def leaderless(topic: str, leaders: Mapping[int, int | None]) -> Iterator[Finding]:
    """Yield a finding where a partition has no leader; *leaders* are broker ids by partition."""
    alone = [number for number, leader in leaders.items() if leader is None or leader < 0]
    if alone:
        numbers = ", ".join(map(str, alone[:8]))
        more = f" and {len(alone) - 8} more" if len(alone) > 8 else ""  # noqa: PLR2004
        detail = (
            f"partition {numbers}{more} has no leader, and its rows wait: its brokers are down, or "
            "none of them has all that was acknowledged. Start them again"
        )
        command = f"kafka-topics.sh --bootstrap-server ADDRESS --describe --topic {topic}"
        yield Finding(
            f"leaders of {topic}", "failed", detail, 1, "partition-without-leader", command
        )


def _rights(topic: str, description: TopicDescription) -> Finding:
    subject = f"rights on {topic}"
    granted = description.authorized_operations
    if not granted:
        return Finding(subject, "unknown", "not checked: the broker does not tell")
    missing = [name for operation, name in _NEEDED.items() if operation not in granted]
    if missing:
        advice = f"allow this client {' and '.join(missing)} on the topic; its rows wait until then"
        return Finding(subject, "failed", advice, 1, "topic-rights", _granted(topic, missing))
    return Finding(subject, "ok", "Write and Describe")


def _granted(topic: str, missing: Sequence[str]) -> str:
    operations = " ".join(f"--operation {name}" for name in missing)
    return (
        "kafka-acls.sh --bootstrap-server ADDRESS --add --allow-principal User:CLIENT "
        f"{operations} --topic {topic}"
    )


def _limit(topic: str, admin: AdminClient, largest: int, given: int | None) -> Finding:
    subject = f"size limit of {topic}"
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        asked = admin.describe_configs([resource], request_timeout=BROKER_SECONDS)
        limit = int(asked[resource].result()["max.message.bytes"].value)
    except KafkaException as error:
        advice = f"{error.args[0].str()}: allow DescribeConfigs on the topic"
        if given is None:
            detail = f"not checked: {advice}, or set RELAY_MAX_MESSAGE_BYTES to it"
            return Finding(subject, "unknown", detail, command=_granted(topic, ["DescribeConfigs"]))
        return Finding(subject, "ok", f"{given:,} bytes, as RELAY_MAX_MESSAGE_BYTES says")
    if given is not None and given > limit:
        advice = f"RELAY_MAX_MESSAGE_BYTES is {given:,}, and the topic takes only {limit:,}"
        return Finding(subject, "warning", f"{advice}: leave it out, or lower it")
    if largest > limit:
        advice = (
            f"{limit:,} bytes, and a row of {largest:,} waits, which will be parked: raise the "
            "topic's max.message.bytes"
        )
        command = (
            "kafka-configs.sh --bootstrap-server ADDRESS --alter --entity-type topics "
            f"--entity-name {topic} --add-config max.message.bytes={largest + _ROOM_BYTES}"
        )
        return Finding(subject, "warning", advice, 0, "size-limit", command)
    return Finding(subject, "ok", f"{limit:,} bytes; the largest row that waits has {largest:,}")


def _sequence(topic: str, properties: Mapping[str, Any], connection: Connection) -> Finding:
    """Compare the last messages with the sequence: a restored backup may lie behind them."""
    subject = f"seq on {topic}"
    try:
        highest = max(_last_seqs(topic, properties), default=0)
    except KafkaException as error:
        fault = error.args[0]
        if fault.code() in _MAY_NOT_READ:
            # A relay needs no Read: most have none.
            return Finding(subject, "skipped", f"the topic may not be read ({fault.str()})")
        return Finding(subject, "unknown", f"not checked: {fault.str()}")
    # After the topic: in the other order, rows that are published in between look like a restore.
    with bounded(connection):
        row = connection.execute(queries.DRAWN).fetchone()
    assert row is not None  # noqa: S101 - a sequence is one row
    drawn, _, name, _ = row
    if highest > drawn:
        advice = (
            f"the topic has seq {highest}, and outbox_id_seq is at {drawn}: a backup was restored, "
            "or another outbox publishes there. Consumers take new snapshots for old ones until "
            "the sequence is beyond. After a restore, move it forward, as the owner: "
            f"{queries.ADVANCE.format(sequence=name, to=highest)}"
        )
        command = psql(queries.ADVANCE.format(sequence=name, to=highest))
        return Finding(subject, "failed", advice, 1, "seq-behind", command)
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
