"""Stalls: patience with a partition ends although more is sent to it, or to others."""

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka import producer
from relay.daemon.kafka.broker_errors import BrokerErrors
from relay.daemon.kafka.producer import GaplessProducer, Partition
from tests.daemon.kafka.rows import row
from tests.model.broker import Broker, Producer

STUCK, FREE = (TopicPartition("topic", number, 2) for number in range(2))
PATIENCE = 3.0


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker in memory, whose clock is the producer's; partition 0 acknowledges nothing."""
    memory = Broker(stuck={0})
    clock = SimpleNamespace(monotonic=memory.clock)
    with (
        patch.object(producer, "Producer", partial(Producer, memory)),
        patch.object(producer, "time", clock),
    ):
        yield memory


@pytest.fixture
def stalling(broker: Broker) -> GaplessProducer:
    assert broker.stuck
    return GaplessProducer({"enable.gapless.guarantee": True}, BrokerErrors())


def send(to: GaplessProducer, partition: Partition, number: int) -> None:
    assert to.send(partition, row(number), b'{"payload": {}}', [], 0)
    to.flush(0.0)


def test_sending_on_does_not_renew_the_patience(stalling: GaplessProducer, broker: Broker) -> None:
    stuck = stalling.partition(STUCK, 1_000)
    free = stalling.partition(FREE, 1_000)
    for second in range(4):
        send(stalling, stuck, second)
        send(stalling, free, second)
        assert stalling.stalled(PATIENCE) == []
        broker.clock.advance(1.0)
    assert stalling.stalled(PATIENCE) == [STUCK]


def test_an_acknowledgement_renews_it(stalling: GaplessProducer, broker: Broker) -> None:
    stuck = stalling.partition(STUCK, 1_000)
    send(stalling, stuck, 1)
    broker.clock.advance(2.0)
    broker.stuck.clear()
    stalling.flush(0.0)
    assert stalling.stalled(PATIENCE) == []
    broker.stuck.add(0)
    send(stalling, stuck, 2)
    broker.clock.advance(2.0)
    assert stalling.stalled(PATIENCE) == []
    broker.clock.advance(2.0)
    assert stalling.stalled(PATIENCE) == [STUCK]


def test_patience_begins_with_what_is_sent_not_with_the_last_answer(
    stalling: GaplessProducer, broker: Broker
) -> None:
    free = stalling.partition(FREE, 1_000)
    send(stalling, free, 1)
    assert stalling.stalled(PATIENCE) == []
    broker.clock.advance(60.0)
    broker.stuck.add(1)
    send(stalling, free, 2)
    assert stalling.stalled(PATIENCE) == []


def test_an_acknowledgement_of_some_is_a_sign_of_life() -> None:
    partition = Partition(STUCK, 1_000)
    partition.sent, partition.acknowledged = 2, 1
    assert partition.silent_for(10.0) == 0.0
    assert partition.silent_for(12.0) == 2.0
    partition.failed = 1
    assert partition.silent_for(13.0) == 0.0
