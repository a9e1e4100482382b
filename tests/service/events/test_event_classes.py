"""An event class that cannot work is refused when it is defined."""

import uuid
from datetime import UTC, datetime, timedelta
from types import new_class
from typing import Any
from unittest.mock import Mock

import pytest

from relay import Event, Redactor, Scope, Severity
from relay.errors import EventDefinitionError, PayloadError
from relay.formats.event_record import EventRecord
from relay.service.events.definition import EventDefinition
from relay.service.events.event import _Clock
from relay.service.events.rendering import render, untyped
from relay.service.events.severity import MAX_INFO_CHARACTERS


class HostAdded(Event, severity=Severity.INFO, message="Host {host_name} was added"):
    host_name: str
    role: str | None = None


def rendered(event: Event, event_id: uuid.UUID) -> EventRecord:
    return render(untyped(event, event_id), Redactor()).record


def define(message: str | None, severity: Severity | None = Severity.INFO, **fields: type) -> Any:  # noqa: ANN401
    return defined(fields, message=message, severity=severity)


def defined(fields: dict[str, type], **options: object) -> Any:  # noqa: ANN401
    return new_class("Defined", (Event,), options, lambda body: body.update(__annotations__=fields))


def test_a_definition() -> None:
    assert HostAdded.definition == EventDefinition(
        "HostAdded", Severity.INFO, "Host {host_name} was added", "user", Scope.CLUSTER
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
    found = rendered(event(cluster_id=cluster, text="{host_id}", count=3), cluster)
    assert found.message == f"{{{{host_id}}}} 3 of {cluster}, none"


def test_a_class_without_a_message_is_a_base_for_others() -> None:
    class HostEvent(Event, scope=Scope.HOST):
        host_name: str

    class HostGone(HostEvent, severity=Severity.WARNING, message="{host_name} is gone"):
        pass

    host = uuid.uuid4()
    found = rendered(HostGone(host_id=host, host_name="h"), host)
    assert (found.message, found.severity) == ("h is gone", "warning")
    with pytest.raises(EventDefinitionError, match="HostEvent has no message"):
        rendered(HostEvent(host_id=host, host_name="h"), host)


def test_a_category_that_nobody_knows() -> None:
    with pytest.raises(EventDefinitionError, match="the category is 'users'; it must be one of"):
        defined({}, message="text", severity=Severity.INFO, category="users")


def test_an_option_that_nobody_knows() -> None:
    with pytest.raises(EventDefinitionError, match="Defined: sevrity is no option"):
        defined({}, message="text", sevrity=Severity.INFO)


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.CRITICAL])
@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "needs a remedy.*; a severity of .* needs details"),
        ({"remedy": " ", "details": ["text"]}, "needs a remedy"),
        ({"remedy": "Call us."}, "needs details"),
        ({"remedy": "Call us.", "details": ["log"]}, "details names log, which is no field"),
        ({"remedy": "Call {whom}.", "details": ["text"]}, r"names \{whom\}, which is no field"),
    ],
)
def test_an_error_must_help(severity: Severity, options: dict[str, Any], fault: str) -> None:
    with pytest.raises(EventDefinitionError, match=fault):
        defined({"text": str}, message="text", severity=severity, **options)


def test_the_remedy_follows_the_message() -> None:
    event = defined(
        {"disk": str, "log": str},
        message="No disk was found.",
        severity=Severity.ERROR,
        remedy="Attach {disk}, then install again.",
        details=["log"],
    )
    cluster = uuid.uuid4()
    found = rendered(event(cluster_id=cluster, disk="sda", log="…"), cluster)
    assert found.message == "No disk was found. Attach sda, then install again."


def test_an_info_message_is_short() -> None:
    assert define("x" * MAX_INFO_CHARACTERS).definition
    assert define("x" * (MAX_INFO_CHARACTERS + 1), Severity.WARNING).definition
    with pytest.raises(EventDefinitionError, match="info message of 121 characters is too long"):
        define("x" * (MAX_INFO_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("scope", "owner"),
    [
        (None, "cluster_id"),
        (Scope.CLUSTER, "cluster_id"),
        (Scope.INFRA_ENV, "infra_env_id"),
        (Scope.HOST, "host_id"),
    ],
)
def test_an_event_has_the_id_of_what_it_belongs_to(scope: Scope | None, owner: str) -> None:
    options = {"scope": scope} if scope else {}
    event = defined({}, message="text", severity=Severity.INFO, **options)
    some = uuid.uuid4()
    assert getattr(rendered(event(**{owner: some}), some), owner) == str(some)
    for other in {"cluster_id", "infra_env_id", "host_id"} - {owner}:
        with pytest.raises(PayloadError, match=f"Defined belongs to nothing: .* needs {owner}"):
            rendered(event(**{other: some}), some)


def test_no_two_events_of_a_process_have_one_time() -> None:
    times = [HostAdded(host_name="h").event_time for _ in range(2000)]
    assert len(set(times)) == len(times)
    assert times == sorted(times)


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


@pytest.mark.parametrize("value", [object(), b"bytes", float("nan"), timedelta(1)])
def test_a_field_that_cannot_be_stored(value: object) -> None:
    event = defined({"detail": object}, message="text", severity=Severity.INFO)
    some = uuid.uuid4()
    with pytest.raises(PayloadError, match=r"Defined: Defined\.'detail' is "):
        rendered(event(cluster_id=some, detail=value), some)


def test_a_clock_that_is_set_back_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, now = _Clock(), datetime(2026, 1, 1, 12, tzinfo=UTC)
    second = timedelta(seconds=1)
    told = iter([now, now, now - second / 2, now - 2 * second])
    monkeypatch.setattr("relay.service.events.event.datetime", Mock(now=lambda _: next(told)))
    tick = timedelta(microseconds=1)
    assert [clock.now() for _ in range(4)] == [now, now + tick, now + 2 * tick, now - 2 * second]


def test_an_error_never_shows_the_value() -> None:
    with pytest.raises(PayloadError) as caught:
        HostAdded(host_name=["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_an_event_knows_when_it_happened() -> None:
    before = datetime.now(UTC)
    event = HostAdded(host_name="h")
    assert before <= event.event_time <= datetime.now(UTC)
