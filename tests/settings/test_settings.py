import shlex
from pathlib import Path

import pytest

from relay.errors import ConfigurationError
from relay.formats import with_format_defaults
from relay.settings import DatabaseSettings, RelaySettings, load
from tests.support.repository import ROOT

WORKING = {
    "ENABLE_EVENT_STREAMING": "true",
    "DATABASE_URL": "postgresql://user:hunter2@database:5433/service",
    "KAFKA_BOOTSTRAP_SERVER": "kafka:9092",
    "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which everything works, and nothing else of ours is set."""
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in WORKING.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def faults() -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(database=True, stream=True)
    assert "hunter2" not in str(caught.value)
    return caught.value.faults


def test_the_settings_of_a_move_work_as_the_page_has_them(environment: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "moving-from-the-former-service.md").read_text(encoding="utf-8")
    block = page.partition("```sh\n")[2].partition("```")[0]
    for assignment in shlex.split(block, comments=True):
        environment.setenv(*assignment.split("=", 1))
    settings = load(database=True, stream=True, events=True)
    assert settings.kafka.client_id
    assert settings.database.outbox_schema == "relay"
    assert len(with_format_defaults(settings).events.rate_limits) == 3


def test_what_works_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RELAY_WORKERS", "3")
    environment.setenv("AGENT_DOCKER_IMAGE", "agent:1")
    settings = load(database=True, stream=True)
    assert (settings.streaming, settings.relay.workers) == (True, 3)
    assert settings.kafka.bootstrap_server == "kafka:9092"
    assert settings.versions.versions()["discovery-agent"] == "agent:1"
    assert settings.database.address() == "database:5433/service"


def test_every_fault_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("KAFKA_EVENT_STREAM_TOPIC")
    environment.setenv("KAFKA_SASL_MECHANISM", "MAGIC")
    environment.setenv("KAFKA_CLIENT_ID", "somebody")
    environment.setenv("RELAY_WORKERS", "none")
    environment.setenv("RELAY_DELIVERY_BUDGET_SECONDS", "60")
    named = " ".join(faults())
    for variable in (
        "KAFKA_EVENT_STREAM_TOPIC",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_CLIENT_SECRET",
        "RELAY_WORKERS",
        "RELAY_DELIVERY_BUDGET_SECONDS must be less than RELAY_LEASE_TIMEOUT_SECONDS",
    ):
        assert variable in named


def test_switched_off_nothing_has_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WORKING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "MAGIC")
    assert load(database=True, stream=True).streaming is False


@pytest.mark.parametrize("topic", [".", "..", "with space", "ü", "a" * 250, "semi;colon"])
def test_a_topic_that_kafka_would_refuse_is_refused(
    environment: pytest.MonkeyPatch, topic: str
) -> None:
    environment.setenv("KAFKA_EVENT_STREAM_TOPIC", topic)
    assert any("KAFKA_EVENT_STREAM_TOPIC" in fault for fault in faults())


@pytest.mark.parametrize(
    ("address", "works"),
    [
        ("kafka:9092", True),
        ("kafka", True),
        ("a:9092, b:9092,[::1]:9092", True),
        ("SASL_SSL://kafka:9092", True),
        ("nowhere.invalid:1", True),
        ("kafka:9092x", False),
        ("kafka:0", False),
        ("kafka:99999", False),
        ("http://kafka:9092", False),
        ("a:9092,,b:9092", False),
    ],
)
def test_the_address_of_the_broker(
    environment: pytest.MonkeyPatch, address: str, *, works: bool
) -> None:
    environment.setenv("KAFKA_BOOTSTRAP_SERVER", address)
    if works:
        assert load(stream=True).kafka.bootstrap_server == address
    else:
        assert any("KAFKA_BOOTSTRAP_SERVER" in fault for fault in faults())


def test_scram_alone_is_the_stronger_one(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KAFKA_SASL_MECHANISM", "SCRAM")
    environment.setenv("KAFKA_CLIENT_ID", "somebody")
    environment.setenv("KAFKA_CLIENT_SECRET", "hunter2")
    assert load(stream=True).kafka.sasl_mechanism == "SCRAM-SHA-512"


def test_plain_with_an_empty_credential_is_no_authentication(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("KAFKA_SASL_MECHANISM", "PLAIN")
    environment.setenv("KAFKA_CLIENT_ID", "")
    environment.setenv("KAFKA_CLIENT_SECRET", "")
    assert load(stream=True).kafka.client_id is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [("KAFKA_SASL_MECHANISM", "SCRAM"), ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")],
)
def test_authentication_without_a_credential(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    assert any(variable in fault for fault in faults())


@pytest.mark.parametrize(
    ("value", "example"),
    [
        ("1.34217728e+08", "134217728"),
        ("5.0", "5"),
        ("5s", ""),
        ("10_000", ""),
        (" 5", ""),
        ("0x5", ""),
    ],
)
def test_a_whole_number_is_digits_alone(
    environment: pytest.MonkeyPatch, value: str, example: str
) -> None:
    environment.setenv("RELAY_LEASE_ROWS", value)
    (fault,) = faults()
    assert fault.startswith("RELAY_LEASE_ROWS: write a whole number in digits alone, such as ")
    assert fault.endswith(example)


@pytest.mark.parametrize("value", ["2s", "inf", "nan", "1e999", "1e9", "0", "-1", "0.0001"])
def test_seconds_that_are_none(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("RELAY_SAMPLE_SECONDS", value)
    (fault,) = faults()
    assert fault.startswith("RELAY_SAMPLE_SECONDS: ")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hunter2@host:99999/n",
        "postgresql://u:hunter2@host:port/n",
        "postgresql://u:hunter2@a..b/n",
        "postgresql://u:hunter2@host/n?connect_timeout=abc",
        "postgresql://u:hunter2@host/n?sslmode=maybe",
        "postgresql://u:hunter2@host/n?nonsense=1",
    ],
)
def test_a_url_that_could_never_connect(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("DATABASE_URL", url)
    (fault,) = faults()
    assert fault.startswith("DATABASE_URL")


def test_a_url_that_is_none_is_named_without_its_password(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://user:hunter2@host:port:port/x y")
    assert any("DATABASE_URL" in fault for fault in faults())


def test_a_secret_may_come_as_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    environment.setenv("KAFKA_CLIENT_ID", "somebody")
    environment.setenv("KAFKA_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    secret = load(database=True, stream=True).kafka.client_secret
    assert secret is not None
    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(load(database=True, stream=True))


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"hunter2\0"])
def test_a_file_that_cannot_be_read_is_a_fault_beside_the_others(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    environment.setenv("KAFKA_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    environment.setenv("KAFKA_SECURITY_PROTOCOL", "MAGIC")
    named = faults()
    assert any(fault.startswith("KAFKA_CLIENT_SECRET: ") for fault in named)
    assert any(fault.startswith("KAFKA_SECURITY_PROTOCOL: ") for fault in named)


def test_the_database_may_be_given_in_parts(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("DATABASE_URL")
    for name, value in {
        "DB_HOST": "db", "DB_PORT": "5555", "DB_USER": "u", "DB_PASS": "p w'd", "DB_NAME": "n",
    }.items():  # fmt: skip
        environment.setenv(name, value)
    database = load(database=True).database
    assert database.address() == "db:5555/n"
    assert r"p w\'d" in database.conninfo()


def test_sqlalchemys_driver_is_no_matter(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql+psycopg://u@h/n")
    assert DatabaseSettings().address() == "h:5432/n"


def test_properties_of_the_client_pass_through(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KAFKA_PROPERTY_SSL_CA_LOCATION", "/ca.pem")
    assert load(stream=True).kafka.properties == {"ssl.ca.location": "/ca.pem"}


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in RelaySettings.model_fields.values())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"DATABASE_URL": "postgresql://u:p@h:5432/installer"}, "installer"),
        ({"DB_HOST": "h", "DB_NAME": "installer"}, "installer"),
        ({"DATABASE_URL": "postgresql://u@h/a", "OUTBOX_SCHEMA": "relay"}, "a.relay"),
        ({"DATABASE_URL": "postgresql://u@h/installer", "OUTBOX_NAME": "own"}, "own"),
        ({"DATABASE_URL": "postgresql://u@h"}, "u"),
        ({}, ""),
    ],
)
def test_the_outbox_is_named_after_its_database(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert DatabaseSettings().outbox() == expected
