"""Brokers are advertised by addresses that this host cannot use, although bootstrap answers."""

from collections.abc import Callable
from typing import Final

import pytest

from relay.demo.ports import LOOPBACK
from relay.operations.doctor import brokers
from relay.settings import KafkaSettings
from tests.support.eventually import eventually
from tests.support.kafka.broker import Address, KafkaBroker
from tests.support.kafka.topics import create_topic
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.ports import free_port

pytestmark = pytest.mark.kafka

TOPIC: Final = "behind-another-address"


@pytest.mark.parametrize(
    ("advertised", "why"),
    [
        pytest.param(("kafka-0.nowhere.invalid", 9092), "Failed to resolve", id="unresolvable"),
        pytest.param((LOOPBACK, free_port()), "Connection refused", id="refused"),
    ],
)
def test_an_advertised_address_that_does_not_work_is_named(
    make_broker: Callable[..., KafkaBroker],
    outbox: Outbox,
    relay: Start,
    advertised: Address,
    why: str,
) -> None:
    broker = make_broker(start=False)
    broker.advertise(advertised)
    broker.start()
    create_topic(broker.admin_bootstrap, TOPIC, partitions=1)
    process = relay(
        KAFKA_BOOTSTRAP_SERVER="{}:{}".format(*broker.address),
        KAFKA_EVENT_STREAM_TOPIC=TOPIC,
        RELAY_STALL_SECONDS="1",
        RELAY_BACKOFF_MAX_SECONDS="1",
    )
    outbox.emit("waits")
    warning = process.wait_for_log(f"{TOPIC} [0] is on hold")
    address = "{}:{}".format(*advertised)
    assert f"{address}: " in warning["message"]
    assert why in warning["message"]
    eventually(lambda: metric(process, "broker_failing", broker=address) == 1)
    eventually(lambda: metric(process, "broker_up") == 0)
    given = KafkaSettings(
        bootstrap_server="{}:{}".format(*broker.address), event_stream_topic=TOPIC
    )
    assert address in {each.subject.removeprefix("broker ") for each in brokers.examine(given)}
    # Without a word from the client it stays so: the broker is tried again and again.
    process.wait_for_log(f"{TOPIC} [0] is on hold", after=len(process.logs))
    assert metric(process, "broker_up") == 0
    broker.stop()
    broker.advertise(broker.address)
    broker.start()
    outbox.await_empty()
    eventually(lambda: metric(process, "broker_up") == 1)
    eventually(lambda: metric(process, "broker_failing") == 0)
