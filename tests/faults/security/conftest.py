"""The tests of this folder share a guarded broker; what they change there is set right before."""

from collections.abc import Iterator

import pytest

from tests.faults.security.certificates import broker_certificate, ca_pem
from tests.faults.security.guard import NEEDED, PASSWORD, USER, Guard, guarded_broker
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.selection import SessionKafka
from tests.support.requirements import lacking


@pytest.fixture(scope="package")
def guarded() -> Iterator[Guard]:
    try:
        with guarded_broker() as running:
            yield running
    except KafkaUnavailableError as error:
        lacking(f"no real Kafka: {error}")


@pytest.fixture(scope="package")
def kafka(guarded: Guard) -> SessionKafka:
    """What tests set up and look at, as nobody in particular."""
    return SessionKafka(guarded.proxied.broker.admin_bootstrap, "jars")


@pytest.fixture
def guard(guarded: Guard, topic: str) -> Guard:
    """A broker at which the relay's user, password and certificate are as they should be."""
    guarded.set_password()
    guarded.forbid_everything()
    guarded.allow(topic, *NEEDED)
    guarded.show(broker_certificate(guarded.ca))
    return guarded


@pytest.fixture
def environment(environment: dict[str, str], guard: Guard) -> dict[str, str]:
    credential = {
        "KAFKA_BOOTSTRAP_SERVER": guard.proxied.broker.bootstrap,
        "KAFKA_CLIENT_ID": USER,
        "KAFKA_CLIENT_SECRET": PASSWORD,
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_PROPERTY_SSL_CA_PEM": ca_pem(guard.ca),
    }
    return environment | credential | {"RELAY_BACKOFF_MAX_SECONDS": "1"}
