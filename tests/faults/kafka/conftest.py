"""The tests of this folder share a broker of their own, which their relays reach by a proxy."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.proxied import ProxiedBroker, proxied_broker
from tests.support.kafka.selection import SessionKafka
from tests.support.outbox import Outbox
from tests.support.requirements import lacking
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture(scope="package")
def proxied() -> Iterator[ProxiedBroker]:
    try:
        with proxied_broker() as running:
            yield running
    except KafkaUnavailableError as error:
        lacking(f"no real Kafka: {error}")


@pytest.fixture(scope="package")
def kafka(proxied: ProxiedBroker) -> SessionKafka:
    """What tests set up and look at, past the proxy."""
    return SessionKafka(proxied.broker.admin_bootstrap, "jars")


@pytest.fixture
def others_go_on(outbox: Outbox) -> Callable[[], None]:
    """Assert that rows of this test's own topic leave while those of another one wait."""

    def check() -> None:
        for number in range(5):
            outbox.emit(f"goes on {number}")
        outbox.await_empty("name LIKE 'goes on%'", timeout=5)

    return check


@pytest.fixture
def environment(environment: dict[str, str], proxied: ProxiedBroker) -> dict[str, str]:
    return environment | {
        "KAFKA_BOOTSTRAP_SERVER": proxied.broker.bootstrap,
        "RELAY_BACKOFF_MAX_SECONDS": "1",
    }


@pytest.fixture
def broker(proxied: ProxiedBroker, topic: str) -> Iterator[KafkaBroker]:
    """The broker, to be harmed; healed before the topic is taken away."""
    del topic
    yield proxied.broker
    proxied.heal()


@pytest.fixture
def proxy(proxied: ProxiedBroker, broker: KafkaBroker) -> TcpProxy:
    """The network before the broker, to be harmed."""
    del broker
    return proxied.proxy
