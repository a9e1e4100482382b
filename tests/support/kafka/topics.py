"""Topics of a test, and what an ordinary consumer finds on them."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from tests.support.eventually import eventually
from tests.support.load import stretched

REQUEST_SECONDS = 15.0
POLL_SECONDS = 0.2

# The consumer gets over these by itself.
OUTAGE_CODES: Final = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}

# Faults are what many tests are about; librdkafka's own complaints would only drown the output.
QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 200}


@dataclass(frozen=True)
class ConsumedMessage:
    """A message as a consumer gets it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    timestamp_ms: int = -1

    def header(self, name: str) -> bytes | None:
        """The value of the last header of that name, None where there is none."""
        return dict(self.headers).get(name)


def admin_client(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, **QUIET})


def create_topic(
    bootstrap: str, name: str, *, partitions: int = 4, config: Mapping[str, str] | None = None
) -> None:
    """Create a topic, with as many replicas as the broker gives one, and wait until it answers."""
    admin = admin_client(bootstrap)
    wanted = NewTopic(name, num_partitions=partitions, config=dict(config or {}))
    admin.create_topics([wanted])[name].result(REQUEST_SECONDS)

    # The metadata names a leader a moment before that broker knows of it.
    wanted_offsets = {TopicPartition(name, n): OffsetSpec.latest() for n in range(partitions)}  # type: ignore[no-untyped-call]

    def leaders_answer() -> bool:
        answers = admin.list_offsets(wanted_offsets, request_timeout=REQUEST_SECONDS).values()
        return all(answer.exception(REQUEST_SECONDS) is None for answer in answers)

    eventually(leaders_answer, timeout=REQUEST_SECONDS)


def delete_topic(bootstrap: str, name: str) -> None:
    """Delete a topic; one that is gone already is fine."""
    admin = admin_client(bootstrap)
    try:
        admin.delete_topics([name])[name].result(REQUEST_SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise


def set_topic_config(bootstrap: str, name: str, key: str, value: str) -> None:
    """Change one setting of a topic."""
    change = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])
    admin = admin_client(bootstrap)
    admin.incremental_alter_configs([resource])[resource].result(REQUEST_SECONDS)


def read_topic(
    bootstrap: str,
    topic: str,
    *,
    count: int | None = None,
    until: Callable[[list[ConsumedMessage]], bool] | None = None,
    timeout: float = 30.0,
    config: Mapping[str, str] | None = None,
) -> list[ConsumedMessage]:
    """Read a topic from its beginning with an ordinary consumer.

    Reads until there are `count` messages, or until `until` is true of them; with neither of
    the two, everything that is on the topic now. `config` adds consumer settings.

    Raises:
        AssertionError: that did not happen within `timeout` seconds.
    """
    settings = {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, **QUIET}
    consumer = Consumer(settings | {"enable.auto.commit": False} | dict(config or {}))
    try:
        starts, to_the_end = _beginnings_and_size(consumer, topic, min(timeout, REQUEST_SECONDS))
        consumer.assign(starts)
        if count is None and until is None:
            count = to_the_end
        return _read(consumer, until or (lambda found: len(found) >= (count or 0)), timeout)
    finally:
        consumer.close()


def _beginnings_and_size(
    consumer: Consumer, topic: str, timeout: float
) -> tuple[list[TopicPartition], int]:
    metadata = consumer.list_topics(topic, timeout=timeout).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    starts, size = [], 0
    for partition in metadata.partitions:
        marks = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout)
        assert marks is not None, f"no answer about {topic}/{partition}"
        starts.append(TopicPartition(topic, partition, marks[0]))
        size += marks[1] - marks[0]
    return starts, size


def _read(
    consumer: Consumer, enough: Callable[[list[ConsumedMessage]], bool], timeout: float
) -> list[ConsumedMessage]:
    found: list[ConsumedMessage] = []
    begun = time.monotonic()
    while not enough(found):
        in_time = time.monotonic() < begun + stretched(timeout)
        assert in_time, f"not within {timeout:g} s; read {len(found)} messages"
        for message in consumer.consume(500, POLL_SECONDS):
            error = message.error()
            if error is None:
                found.append(_consumed(message))
            elif error.code() not in OUTAGE_CODES:
                raise KafkaException(error)
    return found


def _consumed(message: Message) -> ConsumedMessage:
    return ConsumedMessage(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=message.key(),
        value=message.value(),
        headers=cast("list[tuple[str, bytes | None]]", message.headers() or []),
        timestamp_ms=message.timestamp()[1],
    )
