"""librdkafka's `enable.gapless.guarantee` is experimental: what the relay rests on is pinned here.

Without it, the messages behind one that Kafka refuses are delivered, and so overtake it. The
model's producer must do the same, or what the model shows says nothing of the real one.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from relay.daemon.kafka.properties import producer_properties
from relay.settings import KafkaSettings
from tests.model import broker as model
from tests.support.eventually import eventually
from tests.support.kafka.topics import QUIET, read_topic

LIMIT_BYTES = 5_000
# The first of its batch, in the model too.
REFUSED = 41
MESSAGES = 100


@dataclass(frozen=True)
class Picky:
    """A broker that takes *good* messages and refuses a *bad* one, and a producer to it."""

    producer: Any
    topic: str
    good: Callable[[], bytes]
    bad: bytes
    appended: Callable[[], int]


def picky_model() -> Picky:
    memory = model.Broker(partitions=1)
    return Picky(
        model.Producer(memory, {"enable.gapless.guarantee": True}),
        "contract",
        good=lambda: b'{"payload": {}}',
        bad=b'{"payload": {"poison": true}}',
        appended=lambda: len(memory.log),
    )


def picky_kafka(bootstrap: str, make_topic: Callable[..., str]) -> Picky:
    topic = make_topic(partitions=1, config={"max.message.bytes": str(LIMIT_BYTES)})
    settings = KafkaSettings(bootstrap_server=bootstrap, event_stream_topic=topic)
    # One message a batch, so that the refused one takes no other along.
    properties = {**producer_properties(settings, 1 << 25), "batch.num.messages": 1, **QUIET}
    noise = random.Random(7)
    return Picky(
        Producer(properties),
        topic,
        good=lambda: noise.randbytes(100),
        bad=noise.randbytes(2 * LIMIT_BYTES),
        appended=lambda: len(read_topic(bootstrap, topic)),
    )


@pytest.fixture(params=["model", pytest.param("real", marks=pytest.mark.kafka)])
def picky(request: pytest.FixtureRequest) -> Iterator[Picky]:
    if request.param == "model":
        yield picky_model()
        return
    bootstrap = request.getfixturevalue("kafka").bootstrap
    yield picky_kafka(bootstrap, request.getfixturevalue("make_topic"))


def test_behind_a_message_that_is_refused_nothing_is_delivered(picky: Picky) -> None:
    ended: dict[int, KafkaError | None] = {}

    def note(number: int, error: KafkaError | None, _: Message) -> None:
        ended[number] = error

    for number in range(1, MESSAGES + 1):
        picky.producer.produce(
            picky.topic,
            value=picky.bad if number == REFUSED else picky.good(),
            key=None,
            partition=0,
            headers=[],
            timestamp=0,
            on_delivery=partial(note, number),
        )

    def stopped() -> bool:
        try:
            picky.producer.flush(0.1)
        except KafkaException as error:
            return bool(error.args[0].fatal())
        return len(ended) == MESSAGES

    eventually(stopped, timeout=30, what="it stopped")
    assert len(ended) < MESSAGES
    # Only a purge ends what stands behind the refused message.
    picky.producer.purge(in_queue=True, in_flight=True, blocking=False)
    eventually(lambda: picky.producer.flush(0.1) == 0, what="all is resolved")
    assert len(ended) == MESSAGES
    delivered = [number for number, error in sorted(ended.items()) if error is None]
    assert delivered == list(range(1, REFUSED))
    refused = ended[REFUSED]
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert picky.appended() == REFUSED - 1
