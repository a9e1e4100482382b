import pytest

from relay.daemon.kafka.property_faults import property_faults
from relay.errors import ConfigurationError
from relay.settings import KafkaSettings, load
from relay.settings.kafka import property_variable


def faults(monkeypatch: pytest.MonkeyPatch, **properties: str) -> list[str]:
    for name, value in properties.items():
        monkeypatch.setenv(property_variable(name), value)
    return list(property_faults(KafkaSettings(bootstrap_server="127.0.0.1:9092")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("acks", "1"),
        ("batch.size", "5000000"),
        ("enable.idempotence", "false"),
        ("enable.gapless.guarantee", "false"),
        ("message.timeout.ms", "3000"),
        ("delivery.report.only.error", "true"),
        ("delivery.timeout.ms", "3000"),
        ("metadata.broker.list", "elsewhere:9092"),
        ("retries", "0"),
        ("partitioner", "random"),
        ("test.mock.num.brokers", "1"),
        ("transactional.id", "relay"),
    ],
)
def test_what_the_promises_rest_on_cannot_be_set_from_outside(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (fault,) = faults(monkeypatch, **{name: value})
    assert fault.startswith(f"{property_variable(name)}: cannot be set")


@pytest.mark.parametrize(
    "value",
    [
        "1.048576e+06",
        "5s",
        "10 000",
        "10_000",
        "0x400",
        "010",
        " 5",
        "5 ",
        "+5",
        "5.0",
        "1e3",
        "lots",
    ],
)
@pytest.mark.parametrize("name", ["queue.buffering.max.kbytes", "socket.timeout.ms"])
def test_a_value_that_would_be_cut_short_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (fault,) = faults(monkeypatch, **{name: value})
    assert fault.startswith(f"{property_variable(name)}: ")


@pytest.mark.parametrize("value", ["99999999999", "4294967297", "-1", "-99999999999"])
def test_a_value_beyond_the_range_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (fault,) = faults(monkeypatch, **{"queue.buffering.max.kbytes": value})
    assert "QUEUE_BUFFERING_MAX_KBYTES" in fault


@pytest.mark.parametrize("value", ["5s", "0,5", "nan", "inf", "0x1p3", "1e999"])
def test_a_decimal_number_is_read_as_a_whole_too(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    (fault,) = faults(monkeypatch, **{"linger.ms": value})
    assert fault.startswith("KAFKA_PROPERTY_LINGER_MS: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no.such.property", "1"),
        ("compression.type", "lz5"),
        ("compression.type", "1zstd"),
        ("socket.keepalive.enable", "yes"),
        ("logger", "x"),
        ("default.topic.config", "x"),
        ("opaque", "x"),
        ("topic.blacklist", "("),
        ("client.id", "\udcff"),
    ],
)
def test_other_values_that_cannot_work(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (fault,) = faults(monkeypatch, **{name: value})
    assert fault.startswith(f"{property_variable(name)}: ")


def test_values_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "client.id": "5s",
        "compression.level": "-1",
        "compression.type": "zstd",
        "debug": "broker,topic",
        "linger.ms": "0.5",
        "queue.buffering.max.kbytes": "1048576",
        "socket.keepalive.enable": "false",
        "ssl.ca.location": "",
    }
    assert faults(monkeypatch, **given) == []


def test_a_secret_in_the_wrong_variable_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    (fault,) = faults(monkeypatch, **{"security.protocol": "hunter2"})
    assert "hunter2" not in fault


def test_faults_of_settings_and_of_properties_are_named_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_STREAMING", "true")
    monkeypatch.setenv("RELAY_WORKERS", "none")
    monkeypatch.setenv("KAFKA_PROPERTY_LINGER_MS", "5s")
    monkeypatch.setenv("KAFKA_PROPERTY_NO_SUCH", "1")
    with pytest.raises(ConfigurationError) as caught:
        load(database=True, stream=True, relay=True, kafka_faults=property_faults)
    named = str(caught.value)
    for variable in ("RELAY_WORKERS", "KAFKA_PROPERTY_LINGER_MS", "KAFKA_PROPERTY_NO_SUCH"):
        assert f"{variable}: " in named


def test_what_is_switched_off_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENABLE_EVENT_STREAMING", raising=False)
    monkeypatch.setenv("KAFKA_PROPERTY_NO_SUCH", "1")
    assert not load(stream=True, kafka_faults=property_faults).streaming
