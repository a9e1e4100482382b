"""Typed events: a class per event, checked when it is defined."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import partial
from string import Formatter
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from relay.envelope import to_json
from relay.errors import EventDefinitionError, PayloadError
from relay.service.message import Message, checked_text
from relay.service.redaction import Redactor
from relay.service.rows import EventRow

OWNERS = ("cluster_id", "infra_env_id", "host_id")
"""What an event can belong to, the widest first: the first that is set is the key."""

_BASE_FIELDS = frozenset({*OWNERS, "event_time", "request_id"})
_RESERVED_FIELDS = frozenset({"message", "severity", "definition"})


class Severity(StrEnum):
    """How much an event matters to the user who reads it."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """What all events of one class have in common. *template* has {field} placeholders."""

    name: str
    severity: Severity
    template: str
    category: str


class Event(BaseModel):
    """Base of all events.

    ``class HostAdded(Event, severity=Severity.INFO, message="Host {host_name} was added")`` with
    typed fields. *name* is the event's name on the stream, by default the class name; *category*
    is "user" or "metrics". A class without *message* is abstract: a base for others.

    Set at least one of *cluster_id*, *infra_env_id* and *host_id*: what the event belongs to.
    *event_time* is when it happened, by default now; it needs a zone.

    Raises:
        EventDefinitionError: when the class is defined: the template names an unknown field.
        PayloadError: when an event is made: a field is missing, unknown or of a wrong type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    definition: ClassVar[EventDefinition | None] = None

    cluster_id: UUID | None = None
    infra_env_id: UUID | None = None
    host_id: UUID | None = None
    request_id: str | None = None
    event_time: AwareDatetime = Field(default_factory=partial(datetime.now, UTC))

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - the fields say what they take
        try:
            super().__init__(**fields)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            )
            raise PayloadError(f"{type(self).__name__}: {faults}") from None

    def __init_subclass__(
        cls,
        *,
        severity: Severity | None = None,
        message: str | None = None,
        name: str | None = None,
        category: str = "user",
        **kwargs: Any,  # noqa: ANN401 - pydantic's own
    ) -> None:
        """Tell type checkers what may stand behind the class name; the next one does the work."""

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        severity: Severity | None = None,
        message: str | None = None,
        name: str | None = None,
        category: str = "user",
        **kwargs: Any,  # noqa: ANN401 - pydantic's own
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if reserved := _RESERVED_FIELDS & cls.model_fields.keys():
            raise EventDefinitionError(
                f"{cls.__name__}: the field names {sorted(reserved)} are taken; choose others"
            )
        if message is None:
            cls.definition = None
            return
        if severity is None:
            raise EventDefinitionError(
                f"{cls.__name__}: say how much it matters: severity=Severity.INFO, or another"
            )
        _check_template(cls.__name__, message, frozenset(cls.model_fields))
        cls.definition = EventDefinition(
            name or cls.__name__, Severity(severity), message, category
        )


class RenderedEvent(NamedTuple):
    """An event as it leaves, for both tables: redacted, its message and time fixed once."""

    row: EventRow
    message: Message


def render(event: Event, event_id: UUID, redactor: Redactor) -> RenderedEvent:
    """Return the row of the events table and the message for the stream.

    Raises:
        EventDefinitionError: the class is abstract.
        PayloadError: the event belongs to nothing, or a field cannot be stored.
    """
    definition = event.definition
    if definition is None:
        raise EventDefinitionError(
            f"{type(event).__name__} has no message, so it cannot be emitted: "
            f"class {type(event).__name__}(Event, severity=…, message=…)"
        )
    owners = {owner: _text_or_none(getattr(event, owner)) for owner in OWNERS}
    key = next(filter(None, owners.values()), None)
    if key is None:
        raise PayloadError(f"{definition.name} belongs to nothing: set {', '.join(OWNERS)} or one")
    fields = event.model_dump(exclude=set(_BASE_FIELDS))
    props = {name: redactor.redact(value, name) for name, value in fields.items()}
    stored_props = to_json(props, definition.name)
    message = _message(definition, {**owners, **props}, event, redactor)
    event_time = event.event_time.isoformat(timespec="microseconds")
    row = EventRow(
        event_id=str(event_id),
        name=definition.name,
        category=definition.category,
        severity=definition.severity.value,
        message=message,
        event_time=event_time,
        **owners,
        request_id=event.request_id and checked_text(event.request_id, "request_id"),
        props=stored_props,
    )
    payload = {
        "message": message,
        "severity": row.severity,
        "event_time": event_time,
        **owners,
        **props,
    }
    return RenderedEvent(row, Message(definition.name, payload, key=key, event_id=event_id))


def _message(
    definition: EventDefinition,
    values: Mapping[str, object],
    event: Event,
    redactor: Redactor,
) -> str:
    known = {**values, "event_time": event.event_time, "request_id": event.request_id}
    shown = {name: _shown(value) for name, value in known.items()}
    message = redactor.text(definition.template.format_map(shown))
    return checked_text(message, f"{definition.name}: message")


def _check_template(event: str, template: str, fields: frozenset[str]) -> None:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise EventDefinitionError(f"{event}: the message is no valid template: {error}") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise EventDefinitionError(
                f"{event}: write plain {{field}} placeholders in the message, not {{{name}…}}"
            )
        if name not in fields:
            raise EventDefinitionError(
                f"{event}: the message names {{{name}}}, which is no field; "
                f"the fields are {', '.join(sorted(fields))}"
            )


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
