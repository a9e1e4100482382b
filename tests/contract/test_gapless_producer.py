"""librdkafka's `enable.gapless.guarantee` is experimental: what the relay rests on is pinned here.

Without it, the messages behind one that Kafka refuses are delivered, and so overtake it.
"""

import random
import time
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError

from relay.daemon.channel import Channel
from relay.daemon.holds import Place
from relay.kafka import producer_properties
from relay.settings import KafkaSettings
from tests.contract.rows import row
from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import read_topic

pytestmark = pytest.mark.kafka

LIMIT_BYTES = 5_000
REFUSED = 40


def test_behind_a_message_that_kafka_refuses_nothing_is_delivered(
    kafka: SessionKafka, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(partitions=1, config={"max.message.bytes": str(LIMIT_BYTES)})
    settings = KafkaSettings(bootstrap_server=kafka.bootstrap, event_stream_topic=topic)
    # One message a batch, so that the refused one takes no other along.
    channel = Channel(producer_properties(settings, 1 << 25) | {"batch.num.messages": 1})
    partition = channel.partition(Place(topic, 0, 1), LIMIT_BYTES)
    noise = random.Random(7)
    for number in range(1, 101):
        size = 2 * LIMIT_BYTES if number == REFUSED else 100
        channel.send(partition, row(number), noise.randbytes(size), [], int(time.time() * 1000))

    def resolved() -> bool:
        channel.flush()
        return channel.broken

    eventually(resolved, timeout=30, what="the refusal")
    channel.abandon()
    delivered, failures = channel.take()
    assert [r.id for r in delivered] == list(range(1, REFUSED))
    codes = {failure.row.id: failure.error.code() for failure in failures}
    assert codes[REFUSED] == KafkaError.MSG_SIZE_TOO_LARGE
    assert sorted(codes) == list(range(REFUSED, 101))
    assert len(read_topic(kafka.bootstrap, topic)) == REFUSED - 1
