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
from tests.support.process import LogEntry, ProcessUnderTest

pytestmark = pytest.mark.kafka

TOPIC: Final = "behind-another-address"


@pytest.fixture
def broker(make_broker: Callable[..., KafkaBroker]) -> KafkaBroker:
    """A broker that is not started yet."""
    return make_broker(start=False)


@pytest.fixture
def assert_named(broker: KafkaBroker, outbox: Outbox) -> Callable[..., None]:
    """Assert that log, metrics and `relay doctor` tell of an advertised address, and why."""
    given = KafkaSettings(
        bootstrap_server="{}:{}".format(*broker.address), event_stream_topic=TOPIC
    )

    def check(process: ProcessUnderTest, advertised: Address, why: str) -> None:
        address = "{}:{}".format(*advertised)

        def named(entry: LogEntry) -> bool:
            return f"{TOPIC} [0] is on hold" in entry["message"] and f"{address}: " in str(entry)

        assert why in process.wait_for_log(named)["message"]
        eventually(lambda: metric(process, "broker_failing", broker=address) == 1)
        eventually(lambda: metric(process, "broker_up") == 0)
        # Asked again: a busy broker may take longer to answer than the doctor waits.
        eventually(lambda: f"broker {address}" in {each.subject for each in brokers.examine(given)})
        # Without a word from the client it stays so: the broker is tried again and again.
        process.wait_for_log(named, after=len(process.logs))
        assert metric(process, "broker_up") == 0
        assert outbox.count() == 1

    return check


def test_an_advertised_address_that_does_not_work_is_named(
    broker: KafkaBroker, outbox: Outbox, relay: Start, assert_named: Callable[..., None]
) -> None:
    unresolvable, refused = ("kafka-0.nowhere.invalid", 9092), (LOOPBACK, free_port())
    broker.advertise(unresolvable)
    broker.start()
    create_topic(broker.admin_bootstrap, TOPIC, partitions=1)
    process = relay(
        KAFKA_BOOTSTRAP_SERVER="{}:{}".format(*broker.address),
        KAFKA_EVENT_STREAM_TOPIC=TOPIC,
        RELAY_STALL_SECONDS="1",
        RELAY_BACKOFF_MAX_SECONDS="1",
    )
    outbox.emit("waits")
    assert_named(process, unresolvable, "Failed to resolve")
    readvertise(broker, refused)
    assert_named(process, refused, "Connection refused")
    readvertise(broker, broker.address)
    outbox.await_empty()
    eventually(lambda: metric(process, "broker_up") == 1)
    eventually(lambda: metric(process, "broker_failing") == 0)


def readvertise(broker: KafkaBroker, address: Address) -> None:
    broker.kill()
    broker.advertise(address)
    broker.start()
