"""Every preset names a format, and a format says all that depends on it."""

import json
import uuid
from datetime import timedelta

import pytest

from relay import Message
from relay.formats import Format, format_of, with_format_defaults
from relay.formats.event_record import EventRecord
from relay.settings import VersionSettings, load
from relay.settings.preset import Preset

CLUSTER = str(uuid.uuid4())
HOST = str(uuid.uuid4())
EVENT = EventRecord(
    event_id=str(uuid.uuid4()),
    name="HostLost",
    category="user",
    severity="warning",
    message="Host h1 was lost",
    event_time="2026-11-24T12:00:00.000000+00:00",
    cluster_id=CLUSTER,
    host_id=HOST,
    infra_env_id=None,
    request_id=None,
    props='{"host_name": "h1"}',
)
FIELDS = {"host_name": "h1"}

every_format = pytest.mark.parametrize("form", [format_of(p) for p in Preset], ids=list(Preset))


@every_format
def test_the_message_of_an_event_may_be_on_the_stream(form: Format) -> None:
    message = form.checked(form.event(EVENT, FIELDS))
    assert form.names is None or message.name in form.names
    assert (message.key, str(message.event_id)) == (CLUSTER, EVENT.event_id)
    # Consumers tell events apart by these two, as texts.
    assert message.payload["message"] == EVENT.message
    assert message.payload["event_time"] == EVENT.event_time


def test_a_field_that_is_called_like_a_fact_is_apart_from_it() -> None:
    payload = format_of(Preset.STANDARD).event(EVENT, {"message": "m", "a": 1}).payload
    assert (payload["message"], payload["a"], payload["props"]) == (
        EVENT.message,
        1,
        {"message": "m"},
    )


@every_format
@pytest.mark.parametrize("entity", ["Cluster", "Host", "InfraEnv"])
def test_the_snapshot_of_a_row_may_be_on_the_stream(form: Format, entity: str) -> None:
    name = form.snapshot_name(entity, None)
    row = {"id": HOST, "cluster_id": CLUSTER}
    form.check_snapshot(name, row, keyed=False)
    message = form.checked(form.snapshot(Message(name, row)))
    assert message.name == name
    assert message.payload == row


@every_format
def test_names_of_states_and_of_tables_may_be_on_the_stream(form: Format) -> None:
    for name in {*form.states, *form.table_names.values()}:
        assert form.checked(Message(name, {})).name == name


@every_format
def test_the_envelope_holds_the_texts_byte_for_byte(form: Format) -> None:
    value = form.envelope('a"ü', '{"x":  1}', '{"versions": {}}')
    assert value == b'{"name": "a\\"\xc3\xbc", "payload": {"x":  1}, "metadata": {"versions": {}}}'
    assert json.loads(value)["name"] == 'a"ü'


def test_versions() -> None:
    settings = VersionSettings(release_tag="v2.40", self_version="service:1")
    components = settings.versions()
    assert format_of(Preset.STANDARD).versions(settings) == components
    assert format_of(Preset.EXISTING_CONSUMERS).versions(settings) == {
        "release_tag": "v2.40",
        "versions": components,
    }


@pytest.mark.parametrize(
    ("environment", "partitioner", "streamed"),
    [
        ({}, "murmur2", False),
        ({"EVENT_STREAM_RATE_LIMITED": "true", "RELAY_PARTITIONER": "fnv1a"}, "fnv1a", True),
        ({"EVENT_STREAM_PRESET": "existing-consumers"}, "fnv1a", True),
        (
            {
                "EVENT_STREAM_PRESET": "existing-consumers",
                "EVENT_STREAM_RATE_LIMITED": "false",
                "RELAY_PARTITIONER": "murmur2",
            },
            "murmur2",
            False,
        ),
    ],
)
def test_what_settings_leave_open_is_as_the_format_has_it(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    partitioner: str,
    *,
    streamed: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = with_format_defaults(load())
    assert settings.relay.partitioner == partitioner
    assert settings.events.stream_rate_limited is streamed


def test_rate_limits_of_the_format_stand_beside_those_of_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hour = timedelta(hours=1)
    monkeypatch.setenv("EVENT_RATE_LIMITS", '{"upgrade_agent_failed": "0s", "own": "5m"}')
    own = {"upgrade_agent_failed": timedelta(0), "own": timedelta(minutes=5)}
    assert with_format_defaults(load()).events.rate_limits == own
    monkeypatch.setenv("EVENT_STREAM_PRESET", "existing-consumers")
    others = {"upgrade_agent_started": hour, "upgrade_agent_finished": hour}
    assert with_format_defaults(load()).events.rate_limits == others | own
