import json
import logging
from collections.abc import Callable

import pytest

from relay import Outbox
from relay.settings import unknown_variables
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("RELAY_LEASE_ROW", "RELAY_LEASE_ROWS"),
        ("RELAY_WORKER", "RELAY_WORKERS"),
        ("relay_workers", "RELAY_WORKERS"),
        ("RELAY_METRIC_PORT", "RELAY_METRICS_PORT"),
        ("EVENT_RATE_LIMIT", "EVENT_RATE_LIMITS"),
        ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVER"),
        ("ENABLE_EVENT_STREAM", "ENABLE_EVENT_STREAMING"),
        ("ENABLE_EVENTS_STREAMING", "ENABLE_EVENT_STREAMING"),
        ("KAFKA_CLIENT_SECRET_FILES", "KAFKA_CLIENT_SECRET_FILE"),
    ],
)
def test_the_nearest_known_name(monkeypatch: pytest.MonkeyPatch, name: str, nearest: str) -> None:
    monkeypatch.setenv(name, "hunter2")
    (warning,) = unknown_variables()
    assert warning == f"{name} is not a setting and has no effect: did you mean {nearest}?"


def test_a_name_of_ours_that_is_like_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOX_QQQQQQQQQQ", "1")
    (warning,) = unknown_variables()
    assert warning.startswith("OUTBOX_QQQQQQQQQQ is not a setting and has no effect: see docs")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RELAY_LEASE_ROWS", "5"),
        ("KAFKA_CLIENT_SECRET_FILE", "/run/secrets/kafka"),
        ("KAFKA_PROPERTY_LINGER_MS", "5"),
        ("KAFKA_HOME", "/opt/kafka"),
        ("KAFKA_OPTS", "-Xmx1g"),
        ("KAFKA_HEAP_OPTS", "-Xmx1g"),
        ("KAFKA_LISTENERS", "PLAINTEXT://:9092"),
        ("DB_TIMEOUT", "5"),
        ("PATH_OF_RELAY_WORKER", "1"),
        ("RELAY_METRICS_PORT", "tcp://10.0.0.7:9464"),
        ("RELAY_METRICS_SERVICE_HOST", "10.0.0.7"),
        ("RELAY_METRICS_SERVICE_PORT", "9464"),
        ("RELAY_METRICS_SERVICE_PORT_METRICS", "9464"),
        ("RELAY_METRICS_PORT_9464_TCP", "tcp://10.0.0.7:9464"),
        ("RELAY_METRICS_PORT_9464_TCP_PROTO", "tcp"),
        ("RELAY_METRICS_PORT_9464_TCP_PORT", "9464"),
        ("RELAY_METRICS_PORT_9464_TCP_ADDR", "10.0.0.7"),
        ("RELAY_PORT", "tcp://10.0.0.7:9464"),
        ("KAFKA_PORT", "tcp://[fd00::7]:9092"),
    ],
)
def test_names_that_are_known_or_somebody_elses(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert unknown_variables() == ()


def test_a_service_logs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EVENT_RATE_LIMIT", "{}")
    with caplog.at_level(logging.WARNING, "relay"):
        Outbox.from_environment()
    (record,) = caplog.records
    assert "EVENT_RATE_LIMITS" in record.getMessage()


def test_check_finds_it_and_any_command_warns(
    run_relay: Callable[..., ProcessUnderTest], database: Database
) -> None:
    given = {"DATABASE_URL": database.dsn, "RELAY_LEASE_ROW": "5"}
    check = run_relay("check", "--json", environment=given)
    assert check.wait() == 0, check.output
    found = json.loads(check.stdout[-1])["findings"]
    (warning,) = (each for each in found if each["outcome"] == "warning")
    assert "RELAY_LEASE_ROWS" in warning["detail"]
    for command in ("status", "migrate", "check"):
        process = run_relay(command, environment=given)
        assert process.wait() == 0
        assert sum("RELAY_LEASE_ROWS" in line for line in process.stderr) == 1


def test_the_relay_logs_it(run_relay: Callable[..., ProcessUnderTest], database: Database) -> None:
    given = {"DATABASE_URL": database.dsn, "RELAY_LEASE_ROW": "5", "RELAY_METRICS_PORT": "0"}
    process = run_relay("run", environment=given)
    entry = process.wait_for_log("RELAY_LEASE_ROWS")
    assert entry["level"] == "WARNING"
