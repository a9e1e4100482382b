"""Broker errors: the last one of each address, until that broker works again."""

import pytest
from confluent_kafka import KafkaError

from relay.daemon.kafka.broker_errors import BrokerErrors


@pytest.fixture
def errors() -> BrokerErrors:
    return BrokerErrors()


def noted(errors: BrokerErrors, text: str, code: int = KafkaError._TRANSPORT) -> list[str]:
    errors.note(KafkaError(code, text))
    return [str(error) for error in errors.current]


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (
            "kafka-0:9092/1: Failed to resolve 'kafka-0:9092': unknown (after 0ms in state X)",
            "kafka-0:9092: Failed to resolve 'kafka-0:9092': unknown",
        ),
        (
            "sasl_ssl://127.0.0.1:1/bootstrap: SASL authentication error: no (after 3ms)",
            "127.0.0.1:1: SASL authentication error: no",
        ),
        ("ssl://[::1]:9092/12: SSL handshake: a: b", "[::1]:9092: SSL handshake: a: b"),
        ("Failed to acquire SASL OAUTHBEARER token", "Failed to acquire SASL OAUTHBEARER token"),
    ],
)  # fmt: skip
def test_a_broker_is_named_by_its_address(errors: BrokerErrors, said: str, understood: str) -> None:
    assert noted(errors, said) == [understood]


def test_a_summary_hides_no_reason(errors: BrokerErrors) -> None:
    noted(errors, "a:1/1: Connection refused")
    down = noted(errors, "1/1 brokers are down", KafkaError._ALL_BROKERS_DOWN)
    assert down == ["a:1: Connection refused"]


def test_an_answer_proves_the_bootstrap_address_alone(errors: BrokerErrors) -> None:
    noted(errors, "bootstrap:1/bootstrap: Connection refused")
    noted(errors, "advertised:1/1: Failed to resolve")
    errors.answered()
    assert str(errors) == "advertised:1: Failed to resolve"
    errors.clear()
    assert errors.current == ()


def test_an_error_that_is_not_repeated_is_forgotten() -> None:
    now = 1000.0
    errors = BrokerErrors(lambda: now)
    assert noted(errors, "a:1/1: Disconnected") == ["a:1: Disconnected"]
    now += 600
    assert errors.current == ()


def test_the_number_of_addresses_is_bounded(errors: BrokerErrors) -> None:
    for number in range(1000):
        noted(errors, f"host-{number}:1/{number}: Failed to resolve")
    assert len(errors.current) == 50
