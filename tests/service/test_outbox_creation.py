import logging
import subprocess
import sys

import pytest

import relay
from relay import Outbox
from relay.errors import ConfigurationError, EventDefinitionError

OFF = "The event stream is not configured"


def test_switched_off_it_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ENABLE_EVENT_STREAMING", raising=False)
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "nonsense")
    with caplog.at_level(logging.DEBUG, "relay"):
        outbox = Outbox.from_environment()
    assert outbox.streaming is False
    assert [(r.levelname, OFF in r.message) for r in caplog.records] == [("DEBUG", True)]


def test_switched_on_it_says_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_STREAMING", "true")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVER", "nowhere:9092")
    monkeypatch.setenv("KAFKA_EVENT_STREAM_TOPIC", "events-stream")
    with caplog.at_level(logging.DEBUG, "relay"):
        outbox = Outbox.from_environment()
    assert outbox.streaming is True
    assert caplog.records == []


def test_switched_on_every_fault_of_the_configuration_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_STREAMING", "true")
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVER", raising=False)
    monkeypatch.delenv("KAFKA_EVENT_STREAM_TOPIC", raising=False)
    monkeypatch.setenv("KAFKA_CLIENT_SECRET", "hunter2")
    with pytest.raises(ConfigurationError) as caught:
        Outbox.from_environment()
    message = str(caught.value)
    for variable in ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_EVENT_STREAM_TOPIC", "KAFKA_CLIENT_ID"):
        assert variable in message
    assert "hunter2" not in message


def test_only_mapped_classes_are_tracked() -> None:
    with pytest.raises(EventDefinitionError, match="no mapped class"):
        Outbox(streaming=True, versions={}).track(str)


def test_the_public_names_are_there() -> None:
    assert all(getattr(relay, name) for name in relay.__all__)
    with pytest.raises(AttributeError, match="nope"):
        relay.nope  # noqa: B018


@pytest.mark.processes
@pytest.mark.parametrize(
    "module", ["relay", "relay.service", "relay.settings", "relay.formats.envelope"]
)
def test_importing_stays_light(module: str) -> None:
    program = f"import sys, {module}; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.processes
def test_without_greenlet_plain_sessions_work() -> None:
    program = (
        "import sys; sys.modules['greenlet'] = None; "
        "from relay import Outbox; Outbox(streaming=True)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("text", ["ture", "enabled", "2"])
def test_a_misspelt_flag_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ENABLE_EVENT_STREAMING", text)
    with pytest.raises(ConfigurationError, match="ENABLE_EVENT_STREAMING: write true or false"):
        Outbox.from_environment()


def test_a_text_switches_nothing_on() -> None:
    with pytest.raises(TypeError, match=r"streaming is 'false'; give True or False"):
        Outbox(streaming="false")  # type: ignore[arg-type]
