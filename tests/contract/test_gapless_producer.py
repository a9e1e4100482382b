"""librdkafka's `enable.gapless.guarantee` is experimental: what the relay rests on is pinned here.

Without it, the messages behind one that Kafka refuses are delivered, and so overtake it.
"""

import random
from collections.abc import Callable
from functools import partial

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from relay.kafka import producer_properties
from relay.settings import KafkaSettings
from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import QUIET, read_topic

pytestmark = pytest.mark.kafka

LIMIT_BYTES = 5_000
REFUSED = 40
MESSAGES = 100


def test_behind_a_message_that_kafka_refuses_nothing_is_delivered(
    kafka: SessionKafka, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(partitions=1, config={"max.message.bytes": str(LIMIT_BYTES)})
    settings = KafkaSettings(bootstrap_server=kafka.bootstrap, event_stream_topic=topic)
    # One message a batch, so that the refused one takes no other along.
    producer = Producer(
        {**producer_properties(settings, 1 << 25), "batch.num.messages": 1, **QUIET}
    )
    ended: dict[int, KafkaError | None] = {}

    def note(number: int, error: KafkaError | None, _: Message) -> None:
        ended[number] = error

    noise = random.Random(7)
    for number in range(1, MESSAGES + 1):
        size = 2 * LIMIT_BYTES if number == REFUSED else 100
        producer.produce(topic, noise.randbytes(size), on_delivery=partial(note, number))

    def stopped() -> bool:
        try:
            producer.flush(0.1)
        except KafkaException as error:
            return bool(error.args[0].fatal())
        return len(ended) == MESSAGES

    eventually(stopped, timeout=30, what="it stopped")
    # Only a purge ends what stands behind the refused message.
    producer.purge()
    producer.flush(10)
    assert len(ended) == MESSAGES
    delivered = [number for number, error in sorted(ended.items()) if error is None]
    assert delivered == list(range(1, REFUSED))
    refused = ended[REFUSED]
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert len(read_topic(kafka.bootstrap, topic)) == REFUSED - 1
