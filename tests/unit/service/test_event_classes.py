"""An event class that cannot work is refused when it is defined."""

import uuid
from datetime import UTC, datetime
from types import new_class
from typing import Any

import pytest

from relay import Event, Redactor, Severity
from relay.errors import EventDefinitionError, PayloadError
from relay.service.events import EventDefinition, render


class HostAdded(Event, severity=Severity.INFO, message="Host {host_name} was added"):
    host_name: str
    role: str | None = None


def define(message: str | None, severity: Severity | None = Severity.INFO, **fields: type) -> Any:  # noqa: ANN401
    return defined(fields, message=message, severity=severity)


def defined(fields: dict[str, type], **options: object) -> Any:  # noqa: ANN401
    return new_class("Defined", (Event,), options, lambda body: body.update(__annotations__=fields))


def test_a_definition() -> None:
    assert HostAdded.definition == EventDefinition(
        "HostAdded", Severity.INFO, "Host {host_name} was added", "user"
    )


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("{nope}", r"Defined: the message names \{nope\}, which is no field; the fields are"),
        ("{}", "plain"),
        ("{0}", "plain"),
        ("{text.upper}", "plain"),
        ("{text[0]}", "plain"),
        ("{text!r}", "plain"),
        ("{text:>9}", "plain"),
        ("{text", "no valid template"),
        ("text}", "no valid template"),
    ],
)
def test_a_template_that_cannot_work(message: str, fault: str) -> None:
    with pytest.raises(EventDefinitionError, match=fault):
        define(message, text=str)


def test_a_severity_is_needed() -> None:
    with pytest.raises(EventDefinitionError, match="severity"):
        define("text", severity=None)


@pytest.mark.parametrize("name", ["message", "severity"])
def test_names_that_are_taken(name: str) -> None:
    with pytest.raises(EventDefinitionError, match=name):
        defined({name: str}, message="text", severity=Severity.INFO)


def test_braces_owners_and_what_is_not_set() -> None:
    event = define("{{{text}}} {count} of {cluster_id}, {host_id}", text=str, count=int)
    cluster = uuid.uuid4()
    rendered = render(event(cluster_id=cluster, text="{host_id}", count=3), cluster, Redactor())
    assert rendered.row.message == f"{{{{host_id}}}} 3 of {cluster}, none"


def test_a_class_without_a_message_is_a_base_for_others() -> None:
    class HostEvent(Event):
        host_name: str

    class HostGone(HostEvent, severity=Severity.WARNING, message="{host_name} is gone"):
        pass

    host = uuid.uuid4()
    rendered = render(HostGone(host_id=host, host_name="h"), host, Redactor())
    assert (rendered.row.message, rendered.row.severity) == ("h is gone", "warning")
    with pytest.raises(EventDefinitionError, match="HostEvent has no message"):
        render(HostEvent(host_id=host, host_name="h"), host, Redactor())


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "HostAdded: host_name: Field required"),
        ({"host_name": 5}, "HostAdded: host_name: Input should be a valid string"),
        ({"host_name": "h", "hostname": "x"}, "HostAdded: hostname: Extra inputs"),
        ({"host_name": "h", "cluster_id": "no"}, "HostAdded: cluster_id: Input should be a valid"),
        ({"host_name": "h", "event_time": datetime(2026, 1, 1)}, "event_time.*timezone"),  # noqa: DTZ001
    ],
)
def test_an_event_that_does_not_fit_its_class(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(PayloadError, match=fault):
        HostAdded(**fields)


def test_an_error_never_shows_the_value() -> None:
    with pytest.raises(PayloadError) as caught:
        HostAdded(host_name=["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_an_event_knows_when_it_happened() -> None:
    before = datetime.now(UTC)
    event = HostAdded(host_name="h")
    assert before <= event.event_time <= datetime.now(UTC)
