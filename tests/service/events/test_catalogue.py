"""A service whose events are listed in a YAML file gets typed classes from it."""

import logging
import uuid
from pathlib import Path
from textwrap import dedent

import pytest

from relay import Event, Redactor, Scope, Severity, load_catalogue
from relay.errors import EventDefinitionError, PayloadError
from relay.formats.event_record import EventRecord
from relay.service.events.rendering import render, untyped

HOST = """
- name: host_installation_failed
  message: "Host {host_id}: {text} ({count}, {ready}) in {cluster_id}"
  event_type: host
  severity: "error"
  properties:
    host_id: UUID
    cluster_id: UUID_PTR
    text: string
    count: integer
    ready: boolean
"""


def rendered(event: Event, event_id: uuid.UUID) -> EventRecord:
    return render(untyped(event, event_id), Redactor()).record


@pytest.fixture
def write(tmp_path: Path) -> Path:
    return tmp_path / "events.yaml"


def test_an_entry_becomes_a_class(write: Path) -> None:
    write.write_text(HOST)
    event = load_catalogue(write, module="myservice.events")["host_installation_failed"]
    assert (event.__name__, event.__module__) == ("HostInstallationFailed", "myservice.events")
    assert event.definition is not None
    assert event.definition.severity is Severity.ERROR
    assert event.definition.scope is Scope.HOST
    host = uuid.uuid4()
    row = rendered(event(host_id=host, text="{count}", count=3, ready=False), host)
    assert row.name == "host_installation_failed"
    # One pass: a value that looks like a placeholder is not replaced.
    assert row.message == f"Host {host}: {{count}} (3, False) in none"
    assert row.props == '{"text": "{count}", "count": 3, "ready": false}'


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"host_id": "no id"}, "host_id: Input should be a valid UUID"),
        ({"host_id": None}, "host_id: UUID input should be"),
        ({"text": 5}, "text: Input should be a valid string"),
        ({"count": "3"}, "count: Input should be a valid integer"),
        ({"count": True}, "count: Input should be a valid integer"),
        ({"ready": 1}, "ready: Input should be a valid boolean"),
        ({"other": 1}, "other: Extra inputs"),
    ],
)
def test_its_types_are_kept(write: Path, wrong: dict[str, object], fault: str) -> None:
    write.write_text(HOST)
    event = load_catalogue(write)["host_installation_failed"]
    right = {"host_id": uuid.uuid4(), "text": "t", "count": 3, "ready": True}
    with pytest.raises(PayloadError, match=fault):
        event(**right | wrong)
    with pytest.raises(PayloadError, match="host_id: Field required"):
        event(text="t", count=3, ready=True)


def entry(**changes: object) -> str:
    fields = {"message": "text", "event_type": "cluster", "severity": "info"} | changes
    lines = "".join(f"  {name}: {value}\n" for name, value in fields.items())
    return f"- name: it_happened\n{lines}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (entry(message='"{nope}"'), r"ItHappened: the message names \{nope\}"),
        (entry(message='"{cluster_id"'), "no valid template"),
        (entry(properties="{x: float}"), "it_happened: unknown types float; they are UUID,"),
        (entry(properties="{host_id: string}"), "it_happened: host_id must be a UUID"),
        (entry(properties="{severity: string}"), "the field names .* are taken"),
        (entry(severity="fatal"), "it_happened: severity: Input should be 'info'"),
        (entry(event_type="node"), "it_happened: event_type: Input should be 'cluster'"),
        (entry(sevrity="info"), "it_happened: sevrity: Extra inputs"),
        (entry() + entry(), "it_happened: the name is there twice"),
        ("- message: text", "entry 1: name: Field required"),
        ("- 5", "entry 1: : Input should be"),
        ("events: []", "it must hold a list of events"),
        ("- {", "no valid YAML"),
    ],
)
def test_what_cannot_work_is_refused(write: Path, text: str, fault: str) -> None:
    write.write_text(text)
    with pytest.raises(EventDefinitionError, match=fault):
        load_catalogue(write)


@pytest.mark.parametrize("properties", [None, "", "{}", "{cluster_id: UUID}"])
def test_an_event_without_fields_of_its_own(write: Path, properties: str | None) -> None:
    write.write_text(entry() if properties is None else entry(properties=properties))
    some = uuid.uuid4()
    event = load_catalogue(write)["it_happened"](cluster_id=some)
    assert rendered(event, some).props == "{}"


def test_a_file_that_is_no_text(write: Path) -> None:
    write.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(EventDefinitionError, match="no valid YAML"):
        load_catalogue(write)


def test_every_fault_is_named_at_once(write: Path) -> None:
    write.write_text(entry(message='"{nope}"') + entry(severity="fatal"))
    with pytest.raises(EventDefinitionError) as caught:
        load_catalogue(write)
    assert "{nope}" in str(caught.value)
    assert "severity" in str(caught.value)


def test_a_file_that_is_not_there(write: Path) -> None:
    with pytest.raises(EventDefinitionError, match="No such file"):
        load_catalogue(write)


def test_rules_that_are_younger_than_the_file(
    write: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write.write_text(HOST)
    with caplog.at_level(logging.WARNING, "relay"):
        event = load_catalogue(write)["host_installation_failed"]
    assert ["1 of 1 events break a rule" in record.message for record in caplog.records] == [True]
    assert event.definition is not None
    assert len(event.definition.broken_rules) == 2
    with pytest.raises(EventDefinitionError, match=r"HostInstallationFailed: .* needs a remedy"):
        load_catalogue(write, strict=True)


def test_a_file_that_keeps_the_rules(write: Path, caplog: pytest.LogCaptureFixture) -> None:
    write.write_text(HOST + "  remedy: Try again.\n  details: [text]\n")
    event = load_catalogue(write, strict=True)["host_installation_failed"]
    assert event.definition is not None
    assert event.definition.template.endswith("in {cluster_id}. Try again.")
    assert caplog.records == []


def test_eighty_events(write: Path) -> None:
    one = dedent(HOST)
    write.write_text("".join(one.replace("failed", f"failed_{n}") for n in range(80)))
    assert len(load_catalogue(write)) == 80
