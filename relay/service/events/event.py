"""Typed events: a class per event, checked when it is defined."""

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Unpack, cast
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import CoreSchema

from relay.errors import EventDefinitionError, PayloadError
from relay.formats.keys import OWNERS
from relay.service.events.definition import (
    EventDefinition,
    EventOptions,
    OwnScope,
    Scope,
    define,
    scope_of,
)
from relay.service.events.field_types import base_field_faults, type_faults
from relay.service.events.names import claim_name

BASE_FIELDS = frozenset({*OWNERS, "event_time", "request_id"})
RESERVED_FIELDS = frozenset({"message", "severity", "definition", "default_scope"})


_SET_BACK = timedelta(seconds=1)


class _Clock:
    """The time, to the microsecond, and never the same twice in a process.

    Consumers tell events apart by message and time. A clock that was set back is followed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        with self._lock:
            now = datetime.now(UTC)
            if now <= self._last < now + _SET_BACK:
                now = self._last + timedelta(microseconds=1)
            self._last = now
            return now


_clock = _Clock()


class Event(BaseModel):
    """Base of all events.

    ``class HostAdded(Event, severity=Severity.INFO, message="Host {host_name} was added")`` with
    typed fields. *name* is the event's name on the stream, by default the class name; *category*
    is "user" or "metrics". A class without *message* is abstract: a base for others.

    *scope* is what the event belongs to: a cluster, unless said otherwise. The id of that must be
    set when it is emitted; the other ids where they apply. A scope of your own, such as "order",
    is the field ``order_id`` of the class. *event_time* is when it happened, by default now; it
    needs a zone.

    An error or a critical event needs *remedy*, a sentence for the user that follows the message,
    and *details*, the names of the fields that hold what is needed to debug it.

    Raises:
        EventDefinitionError: when the class is defined: the template names an unknown field, a
            field is of a type that JSON does not know, a rule of its severity is broken, or
            another class has its name.
        PayloadError: when an event is made: a field is missing, unknown or of a wrong type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    definition: ClassVar[EventDefinition | None] = None
    default_scope: ClassVar[Scope | OwnScope] = Scope.CLUSTER

    cluster_id: UUID | None = None
    infra_env_id: UUID | None = None
    host_id: UUID | None = None
    request_id: str | None = None
    event_time: AwareDatetime = Field(default_factory=_clock.now)

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - the fields say what they take
        try:
            super().__init__(**fields)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            )
            raise PayloadError(f"{type(self).__name__}: {faults}") from None

    def __init_subclass__(cls, **options: Unpack[EventOptions]) -> None:
        """Tell type checkers what may stand behind the class name; the next one does the work."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        try:
            return handler(source)
        except PydanticSchemaGenerationError:
            raise _refused(cls, type_faults(cls)) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's own
        super().__pydantic_init_subclass__()
        options = cast("EventOptions", kwargs)
        if faults := list(_faults(cls, options)):
            raise _refused(cls, faults)
        cls.default_scope = scope_of(options.get("scope", cls.default_scope))
        options["scope"] = cls.default_scope
        cls.definition = (
            define(options.get("name") or cls.__name__, field_names(cls), options)
            if options.get("message") is not None
            else None
        )
        if cls.definition:
            claim_name(cls.definition.name, cls)


def _faults(event: type[Event], options: EventOptions) -> Iterator[str]:
    if unknown := sorted(options.keys() - EventOptions.__annotations__.keys()):
        yield f"{', '.join(unknown)} is no option"
    names = field_names(event)
    doubled = {name for name in names if names.count(name) > 1}
    if reserved := sorted(RESERVED_FIELDS & event.model_fields.keys() | doubled):
        yield f"the field names {reserved} are taken; choose others"
    yield from base_field_faults(event.model_fields)
    # Its annotations may wait for a class that is defined further down.
    if event.__pydantic_complete__:
        yield from type_faults(event)


def _refused(event: type[Event], faults: Iterable[str]) -> EventDefinitionError:
    return EventDefinitionError(f"{event.__name__}: {'; '.join(faults)}")


def field_names(event: type[BaseModel]) -> list[str]:
    """Return the names under which the fields of *event* are given, stored and published."""
    return [field.alias or name for name, field in event.model_fields.items()]


def definition_of(event: type[Event]) -> EventDefinition:
    """Return what all events of the class have in common.

    Raises:
        EventDefinitionError: the class is abstract.
    """
    if event.definition is None:
        raise EventDefinitionError(
            f"{event.__name__} has no message, so it cannot be emitted: "
            f"class {event.__name__}(Event, severity=…, message=…)"
        )
    return event.definition
