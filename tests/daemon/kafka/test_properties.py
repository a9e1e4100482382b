import pytest

from relay.daemon.kafka.properties import check_properties
from relay.errors import ConfigurationError
from relay.settings import KafkaSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acks", "1"),
        ("batch.size", "5000000"),
        ("enable.idempotence", "false"),
        ("enable.gapless.guarantee", "false"),
        ("message.timeout.ms", "3000"),
        ("delivery.timeout.ms", "3000"),
        ("retries", "0"),
        ("partitioner", "random"),
        ("transactional.id", "relay"),
    ],
)
def test_what_the_promises_rest_on_cannot_be_set_from_outside(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    variable = f"KAFKA_PROPERTY_{name.upper().replace('.', '_')}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"{variable} cannot be set"):
        check_properties(KafkaSettings(bootstrap_server="kafka:9092"))
