import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from relay.service.api.core.filter import NO_NUL
from relay.service.api.core.new_event import NewEvent
from relay.service.api.core.values import Moment
from relay.service.api.own.body import OWNED, Prop, Storable, in_utc
from relay.service.events.severity import Severity

METRICS: Final = "metrics"
_FORM: Final = "It must be a text that holds a JSON object, in which no name is given twice"

_NAMED: Final[dict[str, Any]] = {
    "anyOf": [
        {"required": ["name"], "properties": {"name": {"minLength": 1}}},
        {"required": ["category"], "properties": {"category": {"const": METRICS}}},
    ]
}
_JSON: Final[dict[str, Any]] = {
    "type": "string",
    "format": "json-object",
    "contentMediaType": "application/json",
    "contentSchema": {"type": "object"},
}


def _parsed(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(_FORM)  # noqa: TRY004 - pydantic's
    try:
        found = json.loads(value or "{}", object_pairs_hook=_object)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(_FORM)  # noqa: TRY004 - pydantic's
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Consumers read the text, and could take either.
        raise ValueError("a name is given twice")
    return found


class Body(BaseModel):
    """An event to be added. It belongs to a cluster, an infra-env or a host at least."""

    model_config = ConfigDict(
        title="ExistingServiceEvent",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"allOf": [_NAMED, OWNED]},
    )

    name: Annotated[str, Field(max_length=100, pattern=NO_NUL)] = Field(
        "", description="kind of event; may be missing for metrics"
    )
    severity: Severity = Severity.INFO
    message: Annotated[str, Field(max_length=10_000, pattern=NO_NUL)] = ""
    category: Literal["user", "metrics"] = "user"
    cluster_id: UUID | None = None
    host_id: UUID | None = None
    infra_env_id: UUID | None = None
    request_id: Annotated[str, Field(max_length=100, pattern=NO_NUL)] | None = None
    event_time: Moment | None = Field(None, description="when it happened; else now")
    props: Annotated[dict[Storable, Prop], BeforeValidator(_parsed)] = Field(
        {}, description="a JSON object as a text", json_schema_extra=_JSON
    )

    @model_validator(mode="before")
    @classmethod
    def _given(cls, body: Any) -> Any:  # noqa: ANN401 - pydantic's own
        """Leave out what is null or empty: clients send all their fields."""
        if not isinstance(body, Mapping):
            return body
        return {name: value for name, value in body.items() if value is not None and value != ""}

    @field_validator("event_time")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        return in_utc(moment)

    @model_validator(mode="after")
    def _named(self) -> "Body":
        if not self.name and self.category != METRICS:
            raise ValueError("name: It is needed, but for the category metrics")
        return self

    def new(self) -> NewEvent:
        """Return the event; one without a name has that of its category."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return NewEvent(**fields | {"name": self.name or self.category})
