"""A service whose events are listed in a YAML file gets typed classes from it."""

import logging
import uuid
from pathlib import Path
from textwrap import dedent

import pytest

from relay import Event, Redactor, Scope, Severity, load_catalogue
from relay.errors import EventDefinitionError, PayloadError
from relay.formats.event_record import EventRecord
from relay.service.events.catalogue import own_fields
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
        (entry(properties="{x: blob}"), "line 5: it_happened: x: unknown type blob; the types are"),
        (entry(properties="{host_id: string}"), "line 5: it_happened: host_id: .* must be a UUID"),
        (entry(properties="{request_id: int}"), "request_id must be a string"),
        (entry(properties="{x: int, x: string}"), "line 5: it_happened: x is there twice"),
        (entry(severity="fatal"), "line 4: it_happened: severity: Input should be 'info'"),
        (entry(event_type="node"), "line 3: it_happened: event_type: Input should be 'cluster'"),
        (entry(sevrity="info"), "line 5: it_happened: sevrity: Extra inputs"),
        (entry(category="users"), "line 1: it_happened: the category is 'users'; it must be"),
        (entry(details="[nope]"), "line 1: it_happened: details names nope, which is no field"),
        (entry() + entry(), "line 5: it_happened: the name is there twice, first in line 1"),
        ("- message: text", "line 1: entry 1: name: Field required"),
        ("- name: ''", "line 1: entry 1: name: String should have at least 1"),
        ("- 5", "line 1: entry 1: it must be an object"),
        ("x-events:\n- 5", "line 2: entry 1: it must be an object"),
        ("events: []", "it must hold a list of events, at the top or under x-events"),
        ("", "it must hold a list of events"),
        ("x-events:", "it must hold a list of events"),
        ("- {", "no valid YAML"),
        ("- !!int five", "no valid YAML"),
        ("[" * 5_000, "no valid YAML"),
    ],
)
def test_what_cannot_work_is_refused(write: Path, text: str, fault: str) -> None:
    write.write_text(text)
    with pytest.raises(EventDefinitionError, match=fault):
        load_catalogue(write)


def test_the_good_ones_are_loaded_beside_faults(
    write: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = entry(severity="fatal", properties="{a: blob}").replace("it_", "cannot_")
    write.write_text(f"x-events:\n{bad}{entry()}{entry()}")
    assert list(load_catalogue(write, keep_going=True)) == ["it_happened"]
    lines = [record.getMessage().removeprefix(f"{write}: ") for record in caplog.records]
    assert [line.partition(": Input")[0] for line in lines] == [
        "this event is left out: line 5: cannot_happened: severity",
        "this event is left out: line 11: it_happened: the name is there twice, first in line 7",
    ]
    with pytest.raises(EventDefinitionError, match=r"(?s)line 5: .*line 11: "):
        load_catalogue(write)


ANY_NAMES = (
    *("severity", "message", "event", "name", "json", "copy", "definition", "default_scope"),
    *("class", "on", "null", "model_dump", "model_config", "_hidden", "a-b", "p_x", "5"),
)


@pytest.mark.parametrize("name", ANY_NAMES)
@pytest.mark.parametrize("nullable", [False, True])
def test_a_property_may_have_any_name(write: Path, name: str, *, nullable: bool) -> None:
    kind = "string_PTR" if nullable else "string"
    write.write_text(entry(message=f'"<{{{name}}}>"', properties=f'{{"{name}": {kind}, x: int}}'))
    event = load_catalogue(write)["it_happened"]
    some = uuid.uuid4()
    row = rendered(event(cluster_id=some, x=1, **{name: "error"}), some)
    assert row.props == f'{{"{name}": "error", "x": 1}}'
    assert row.message == (f"<{{{name}}}>" if name in {"a-b", "5"} else "<error>")
    assert row.severity == ("error" if name == "severity" else "info")
    listed = own_fields(event)[name]
    assert "<" not in listed
    assert ("Severity" in listed) == (name == "severity")
    if nullable:
        assert f'"{name}": null' in rendered(event(cluster_id=some, x=1), some).props
    else:
        with pytest.raises(PayloadError, match=f"{name}: Field required"):
            event(cluster_id=some, x=1)
    with pytest.raises(PayloadError, match=name):
        event(cluster_id=some, x=1, **{name: 5})


def test_properties_and_placeholders_need_not_agree(
    write: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = '"{cluster_id} {nope} {{x}} }{ {x.y}"'
    write.write_text(entry(message=message, properties="{x: int, unused: int}"))
    some = uuid.uuid4()
    event = load_catalogue(write)["it_happened"](cluster_id=some, x=1, unused=2)
    assert rendered(event, some).message == f"{some} {{nope}} {{1}} }}{{ {{x.y}}"
    assert ["break a rule" in record.message for record in caplog.records] == [True]
    with pytest.raises(EventDefinitionError, match="it_happened: "):
        load_catalogue(write, strict=True)


def test_merged_and_repeated_parts(write: Path) -> None:
    common = "x-common: &common {event_type: cluster, severity: info, message: text}\n"
    write.write_text(
        common + "x-events:\n- {<<: *common, name: a}\n- {<<: *common, name: b, severity: error}"
    )
    severities = {
        name: event.definition.severity.value
        for name, event in load_catalogue(write).items()
        if event.definition
    }
    assert severities == {"a": "info", "b": "error"}


@pytest.mark.parametrize(
    "properties", [None, "", "null", "{}", "{cluster_id: UUID}", "{request_id: string}"]
)
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
    write.write_text(entry(event_type="node") + entry(severity="fatal"))
    with pytest.raises(EventDefinitionError) as caught:
        load_catalogue(write)
    assert "line 3: it_happened: event_type" in str(caught.value)
    assert "line 8: it_happened: severity" in str(caught.value)


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
    with pytest.raises(EventDefinitionError, match=r"host_installation_failed: .* needs a remedy"):
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
