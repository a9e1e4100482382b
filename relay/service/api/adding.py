"""Events that come over REST: stored and streamed like any other, in one transaction."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4, uuid5

import psycopg
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    field_validator,
)
from typing_extensions import TypeAliasType

from relay.errors import PayloadError
from relay.formats.event_record import EventRecord
from relay.formats.keys import OWNERS
from relay.service.api import listing
from relay.service.api.access import Caller
from relay.service.api.filters import NO_NUL, Name
from relay.service.api.problems import Problem
from relay.service.events.definition import EventDefinition, Scope
from relay.service.events.event import Event
from relay.service.events.rendering import UntypedEvent, render
from relay.service.events.severity import Severity
from relay.service.outbox import Outbox
from relay.service.redaction.redactor import Redactor

KEYS: Final = UUID("6f757462-6f78-4a70-8000-6964656d706f")
"""The namespace of the event ids that are made from idempotency keys."""

_NOT_STORABLE: Final = (
    "The event cannot be stored: its props are nested too deeply, or it lacks what it belongs to: "
    "a cluster_id, an infra_env_id or a host_id"
)

Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=NO_NUL)]


def _written(value: object) -> object:
    """Refuse numbers, which would be taken for seconds since 1970."""
    if value is None or (isinstance(value, str) and "T" in value):
        return value
    raise ValueError("It must be a time as in 2026-11-24T12:00:00Z")


Storable = Annotated[str, Field(pattern=NO_NUL)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# JSON as PostgreSQL stores it; the names of an object are texts like any other.
_CLOSED: Final = Field(json_schema_extra={"additionalProperties": False})
Prop = TypeAliasType(
    "Prop",
    "StrictBool | StrictInt | Number | Storable | list[Prop]"
    " | Annotated[dict[Storable, Prop], _CLOSED] | None",
)


class NewEvent(BaseModel):
    """An event to be added. It belongs to a cluster, an infra-env or a host at least."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={
            "anyOf": [
                {"required": [owner], "properties": {owner: {"type": "string"}}} for owner in OWNERS
            ]
        },
    )

    name: Name = Field(description="kind of event, such as host_status_updated")
    severity: Severity
    message: Text = Field(description="what a user reads; secrets are redacted")
    category: Literal["user", "metrics"] = "user"
    cluster_id: UUID | None = None
    host_id: UUID | None = None
    infra_env_id: UUID | None = None
    request_id: Name | None = Field(None, description="the request that led to it")
    event_time: Annotated[AwareDatetime | None, BeforeValidator(_written)] = Field(
        None, description="when it happened; else now"
    )
    props: Annotated[dict[Storable, Prop], _CLOSED] = Field(
        {}, description="further fields; secrets are redacted"
    )

    @field_validator("event_time")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        try:
            # PostgreSQL knows no offset of 16 hours and more.
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("It must be a time in the years 1 to 9999") from None

    @field_validator("props")
    @classmethod
    def _free_names(cls, props: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(props.keys() & {"message", "severity", "event_time", *OWNERS}):
            raise ValueError(f"{', '.join(taken)}: on the stream these stand beside the props")
        return props


class Adding:
    """Adds events that come over REST."""

    def __init__(self, outbox: Outbox, redactor: Redactor) -> None:
        self._outbox = outbox
        self._redactor = redactor

    def add(
        self, connection: psycopg.Connection[Any], new: NewEvent, caller: Caller, key: str | None
    ) -> str:
        """Store and stream *new* in the open transaction; return it as it was stored, as JSON.

        With a *key* it is added once: with the same key and content again, nothing happens.

        Raises:
            Problem: 404, it does not belong to the caller; 409, another event has this key; 422,
                it cannot be stored; 429, its name has a rate limit.
        """
        _require_ownership(new, caller)
        # The id says it all: its unique index is what makes a key work across processes.
        event_id = uuid5(KEYS, f"{caller.name}\n{key}") if key else uuid4()
        event = _untyped(new, event_id)
        try:
            with connection.transaction():
                self._outbox.emit(connection, event)
                # Within the savepoint: what is not stored is not streamed either.
                return _stored(connection, event_id)
        except psycopg.errors.UniqueViolation:
            stored = _stored(connection, event_id)
            row = render(event, self._redactor).record
            if not _says_the_same(json.loads(stored), row, with_time=new.event_time is not None):
                raise Problem(
                    HTTPStatus.CONFLICT,
                    "Another event was added with this Idempotency-Key: choose a new one",
                ) from None
            return stored
        except PayloadError:
            # Its words may quote the name of a field, which is the client's.
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _NOT_STORABLE) from None


def _require_ownership(new: NewEvent, caller: Caller) -> None:
    clusters = [new.cluster_id] if new.cluster_id else []
    infra_envs = [new.infra_env_id] if new.infra_env_id else []
    if not caller.is_admin and not (clusters or infra_envs):
        raise Problem(HTTPStatus.NOT_FOUND, "Name the cluster or infra-env of the event")
    if not caller.owns(clusters, infra_envs):
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such cluster or infra-env")


def _untyped(new: NewEvent, event_id: UUID) -> UntypedEvent:
    facts = new.model_dump(include={*OWNERS, "request_id", "event_time"}, exclude_none=True)
    owned = (scope for scope in (Scope.CLUSTER, Scope.INFRA_ENV) if scope.owner in facts)
    # The text as it is: no part of it is a placeholder.
    template = new.message.replace("{", "{{").replace("}", "}}")
    definition = EventDefinition(
        new.name, new.severity, template, new.category, next(owned, Scope.HOST)
    )
    return UntypedEvent(event_id, Event(**facts), definition, new.props)


def _stored(connection: psycopg.Connection[Any], event_id: UUID) -> str:
    row = connection.execute(listing.STORED.encode(), {"event_id": event_id}).fetchone()
    if row is None:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "An event of this name came too soon after the last one of the same resource",
        )
    return str(row[0])


def _says_the_same(stored: Mapping[str, Any], row: EventRecord, *, with_time: bool) -> bool:
    wanted = {**row._asdict(), "props": json.loads(row.props)}
    if with_time:
        wanted["event_time"] = datetime.fromisoformat(row.event_time)
        stored = {**stored, "event_time": datetime.fromisoformat(stored["event_time"])}
    else:
        del wanted["event_time"]
    return all(stored[name] == value for name, value in wanted.items())
