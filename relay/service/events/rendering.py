"""From an event to what leaves of it: redacted, its message and time fixed once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from relay.errors import PayloadError
from relay.formats.event_record import EventRecord
from relay.formats.keys import OWNERS
from relay.jsontext import to_json
from relay.service.events.definition import EventDefinition
from relay.service.events.event import BASE_FIELDS, Event, definition_of
from relay.service.message import checked_text
from relay.service.redaction.redactor import Redactor


class UntypedEvent(NamedTuple):
    """An event without a class of its own, such as one that comes over REST.

    *base* says what it belongs to and when it happened; *fields* are its further fields.
    """

    event_id: UUID
    base: Event
    definition: EventDefinition
    fields: Mapping[str, object]


class RenderedEvent(NamedTuple):
    """An event as it leaves: its row, and its own fields."""

    row: EventRecord
    props: Mapping[str, object]


def render(event: Event, event_id: UUID, redactor: Redactor) -> RenderedEvent:
    """Return what is stored of *event*.

    Raises:
        EventDefinitionError: the class is abstract.
        PayloadError: the event lacks what it belongs to, or a field cannot be stored.
    """
    return render_untyped(untyped(event, event_id), redactor)


def untyped(event: Event, event_id: UUID) -> UntypedEvent:
    """Return *event* with what its class says of it.

    Raises:
        EventDefinitionError: the class is abstract.
    """
    fields = event.model_dump(exclude=set(BASE_FIELDS))
    return UntypedEvent(event_id, event, definition_of(type(event)), fields)


def render_untyped(item: UntypedEvent, redactor: Redactor) -> RenderedEvent:
    """Like `render`, of an event without a class.

    Raises:
        PayloadError: the event lacks what it belongs to, or a field cannot be stored.
    """
    event_id, event, definition, fields = item
    owners = {owner: _text_or_none(getattr(event, owner)) for owner in OWNERS}
    if owners[definition.scope.owner] is None:
        raise PayloadError(_unbound(definition))
    props = {name: redactor.redact(value, name) for name, value in fields.items()}
    stored_props = to_json(props, definition.name)
    message = _message(definition, {**owners, **props}, event, redactor)
    # One zone for all, so that a replay renders the same text.
    event_time = event.event_time.astimezone(UTC).isoformat(timespec="microseconds")
    return RenderedEvent(
        EventRecord(
            event_id=str(event_id),
            name=definition.name,
            category=definition.category,
            severity=definition.severity.value,
            message=message,
            event_time=event_time,
            **owners,
            request_id=event.request_id and checked_text(event.request_id, "request_id"),
            props=stored_props,
        ),
        props,
    )


def _unbound(definition: EventDefinition) -> str:
    scope = definition.scope
    others = ", ".join(f"scope=Scope.{other.name}" for other in type(scope) if other is not scope)
    return (
        f"{definition.name} belongs to nothing: an event of scope {scope.value} needs "
        f"{scope.owner}. Set it, or declare the class with {others.replace(', ', ' or ')}."
    )


def _message(
    definition: EventDefinition,
    values: Mapping[str, object],
    event: Event,
    redactor: Redactor,
) -> str:
    known = {**values, "event_time": event.event_time, "request_id": event.request_id}
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
