"""Variables that others set under our names, and values that nobody uses."""

import pytest

from relay.errors import ConfigurationError
from relay.settings import GROUPS, load
from relay.settings.environment import value_of

STREAMING = {
    "ENABLE_EVENT_STREAMING": "true",
    "DATABASE_URL": "postgresql://user@database/service",
    "KAFKA_BOOTSTRAP_SERVER": "kafka:9092",
    "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
}
PORTS = [
    name
    for group in GROUPS
    for name in map(group.variable, group.model_fields)
    if name.endswith("_PORT")
]


@pytest.fixture(autouse=True)
def _streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in STREAMING.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("link", ["tcp://10.0.0.7:5432", "udp://[fd00::7]:53", "sctp://h:1"])
@pytest.mark.parametrize("variable", PORTS)
def test_a_link_of_kubernetes_is_ignored(
    monkeypatch: pytest.MonkeyPatch, variable: str, link: str
) -> None:
    monkeypatch.setenv(variable, link)
    assert value_of(variable) is None
    monkeypatch.setenv("RELAY_API_AUTHENTICATION", "off")
    settings = load(database=True, stream=True, relay=True, api=True, events=True)
    assert (settings.metrics.port, settings.api.port) == (9464, 8090)


def test_a_link_does_not_hide_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("secrets") / "port"
    path.write_text("5433\n")
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("DB_HOST", "db")
    monkeypatch.setenv("DB_PORT", "tcp://10.0.0.7:5432")
    monkeypatch.setenv("DB_PORT_FILE", str(path))
    assert load(database=True).database.db_port == 5433


def test_there_are_ports_to_be_mistaken() -> None:
    assert {"DB_PORT", "RELAY_METRICS_PORT", "RELAY_API_PORT"} <= set(PORTS)


def test_parts_of_a_database_beside_its_url_are_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DB_PORT", "somebody else's")
    monkeypatch.setenv("DB_PASS_FILE", "/nowhere")
    assert load(database=True, stream=True).database.address() == "database:5432/service"


@pytest.mark.parametrize(
    "variable",
    ["DATABASE_URL", "DB_PORT", "RELAY_METRICS_PORT", "RELAY_LOG_LEVEL", "RELAY_API_PORT"],
)
def test_a_service_judges_nothing_that_is_the_relays(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "nonsense")
    assert load(stream=True, events=True).streaming


@pytest.mark.parametrize("variable", ["RELAY_API_PORT", "RELAY_REDACT_NAMES"])
def test_a_relay_judges_nothing_of_the_api(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "nonsense")
    assert load(database=True, stream=True, relay=True).streaming


@pytest.mark.parametrize(
    "variable",
    ["RELAY_LEASE_ROWS", "RELAY_SAMPLE_SECONDS", "KAFKA_SASL_MECHANISM", "KAFKA_CLIENT_ID"],
)
def test_switched_off_nothing_of_the_stream_is_judged(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_STREAMING", "false")
    monkeypatch.setenv(variable, "nonsense")
    settings = load(database=True, stream=True, relay=True)
    assert not settings.streaming
    assert settings.relay.lease_rows == 20_000


def test_switched_off_a_database_that_is_named_must_be_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_STREAMING", "false")
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not valid"):
        load(database=True, stream=True, relay=True)


@pytest.mark.parametrize("variable", ["EVENT_RATE_LIMITS", "RELAY_LEASE_ROWS", "RELAY_LOG_LEVEL"])
def test_an_operator_needs_no_more_than_the_database(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "nonsense")
    assert load(database=True).database.configured
