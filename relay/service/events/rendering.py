"""Record of an event: its secrets out, its message and time fixed once."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NamedTuple, cast
from uuid import UUID

from relay.errors import PayloadError
from relay.formats.event_record import EventRecord
from relay.formats.keys import OWNERS
from relay.jsontext import checked_text, to_json
from relay.service.events.definition import EventDefinition, OwnScope, Scope
from relay.service.events.event import BASE_FIELDS, Event, definition_of
from relay.service.events.severity import Severity
from relay.service.redaction.redactor import Redactor
from relay.service.redaction.values import REDACTED

SUBJECT_BYTES: Final = 1024
"""Longer ids would fit into no key."""


class UntypedEvent(NamedTuple):
    """An event without a class of its own, such as one that comes over REST.

    *base* says what it belongs to and when it happened; *fields* are its further fields.
    """

    event_id: UUID
    base: Event
    definition: EventDefinition
    fields: Mapping[str, object]


class RenderedEvent(NamedTuple):
    """An event as it leaves: its record, and its own fields, redacted."""

    record: EventRecord
    fields: Mapping[str, object]


def untyped(event: Event, event_id: UUID) -> UntypedEvent:
    """Return *event* with the definition of its class.

    Raises:
        EventDefinitionError: the class is abstract.
    """
    fields = event.model_dump(exclude=set(BASE_FIELDS), by_alias=True)
    definition = definition_of(type(event))
    # Of an event of a catalogue that knows it at run time only.
    if isinstance(severity := fields.get("severity"), Severity):
        definition = dataclasses.replace(definition, severity=severity)
    return UntypedEvent(event_id, event, definition, fields)


def render(item: UntypedEvent, redactor: Redactor) -> RenderedEvent:
    """Return the record of an event.

    Raises:
        PayloadError: the event lacks what it belongs to, or a field cannot be stored.
    """
    event, definition = item.base, item.definition
    owners = {owner: _text_or_none(getattr(event, owner)) for owner in OWNERS}
    fields = cast("Mapping[str, object]", redactor.redact(item.fields))
    subject_kind, subject_id = _subject(definition, fields)
    if (subject_id or owners.get(definition.scope.owner)) is None:
        raise PayloadError(_unbound(definition))
    # Before the message: an error then names the field.
    props = to_json(fields, definition.name)
    # The name of a field may have the shape of a secret, too: then it is not found by it.
    known = {**owners, **dict.fromkeys(item.fields, REDACTED), **fields}
    request_id = event.request_id and redactor.text(event.request_id)
    record = EventRecord(
        event_id=str(item.event_id),
        name=definition.name,
        category=definition.category,
        severity=definition.severity.value,
        message=_message(definition, known, event, redactor),
        # One zone for all, so that a replay renders the same text.
        event_time=event.event_time.astimezone(UTC).isoformat(timespec="microseconds"),
        **owners,
        request_id=request_id and checked_text(request_id, "request_id"),
        props=props,
        subject_kind=subject_kind,
        subject_id=subject_id,
    )
    return RenderedEvent(record, fields)


def _subject(
    definition: EventDefinition, fields: Mapping[str, object]
) -> tuple[str | None, str | None]:
    """Return kind and id of what an event of the service's own domain belongs to."""
    scope = definition.scope
    if not isinstance(scope, OwnScope):
        return None, None
    match fields.get(scope.owner):
        case None | "":
            return scope.value, None
        case bool() | float():
            raise PayloadError(f"{definition.name}: {scope.owner} is no id; use a number or a text")
        case int() | str() | UUID() as found:
            subject = checked_text(str(found), f"{definition.name}: {scope.owner}")
            if len(subject.encode()) > SUBJECT_BYTES:
                raise PayloadError(
                    f"{definition.name}: {scope.owner} is longer than {SUBJECT_BYTES} bytes"
                )
            return scope.value, subject
        case other:
            raise PayloadError(
                f"{definition.name}: {scope.owner} is of type {type(other).__name__}; an id is a "
                "whole number, a text or a UUID"
            )


def _unbound(definition: EventDefinition) -> str:
    scope = definition.scope
    if isinstance(scope, OwnScope):
        return f"{definition.name} belongs to nothing: set {scope.owner}, its scope."
    others = ", ".join(f"scope=Scope.{other.name}" for other in Scope if other is not scope)
    return (
        f"{definition.name} belongs to nothing: an event of scope {scope.value} needs "
        f"{scope.owner}. Set it, or declare the class with {others.replace(', ', ' or ')}."
    )


def _message(
    definition: EventDefinition, fields: Mapping[str, object], event: Event, redactor: Redactor
) -> str:
    known = {**fields, "event_time": event.event_time, "request_id": event.request_id}
    shown = {name: _shown(value) for name, value in known.items()}
    # One pass: a value that looks like a placeholder stays as it is.
    message = redactor.text(definition.template.format_map(shown))
    return checked_text(message, f"{definition.name}: message")


def _shown(value: object) -> object:
    """Return *value* as a reader of the message expects it."""
    match value:
        case None:
            return "none"
        case Enum():
            return value.value
        case datetime():
            return value.isoformat(timespec="microseconds")
        case _:
            return value


def _text_or_none(value: UUID | None) -> str | None:
    return None if value is None else str(value)
