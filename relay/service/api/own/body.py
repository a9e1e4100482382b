from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator
from typing_extensions import TypeAliasType

from relay.formats.keys import OWNERS
from relay.service.api.core.filter import NO_NUL
from relay.service.api.core.new_event import BESIDE_PROPS, NewEvent
from relay.service.api.core.values import Moment, Name
from relay.service.events.severity import Severity

Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=NO_NUL)]
Storable = Annotated[str, Field(pattern=NO_NUL)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# JSON as PostgreSQL stores it; the names of an object are texts like any other.
_CLOSED: Final = Field(json_schema_extra={"additionalProperties": False})
Prop = TypeAliasType(
    "Prop",
    "StrictBool | StrictInt | Number | Storable | list[Prop]"
    " | Annotated[dict[Storable, Prop], _CLOSED] | None",
)

OWNED: Final[dict[str, Any]] = {
    "anyOf": [{"required": [owner], "properties": {owner: {"type": "string"}}} for owner in OWNERS]
}
"""Schema of a body that says what the event belongs to."""


def in_utc(moment: datetime | None) -> datetime | None:
    """Return *moment* with an offset that PostgreSQL knows: of less than 16 hours.

    Raises:
        ValueError: it is out of the years 1 to 9999.
    """
    try:
        return moment and moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("It must be a time in the years 1 to 9999") from None


class Body(BaseModel):
    """An event to be added. It belongs to a cluster, an infra-env or a host at least."""

    model_config = ConfigDict(
        title="NewEvent",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra=OWNED,
    )

    name: Name = Field(description="kind of event, such as host_status_updated")
    severity: Severity
    message: Text = Field(description="what a user reads; secrets are redacted")
    category: Literal["user", "metrics"] = "user"
    cluster_id: UUID | None = None
    host_id: UUID | None = None
    infra_env_id: UUID | None = None
    request_id: Name | None = Field(None, description="the request that led to it")
    event_time: Moment | None = Field(None, description="when it happened; else now")
    props: Annotated[dict[Storable, Prop], _CLOSED] = Field(
        {}, description="further fields; secrets are redacted"
    )

    @field_validator("event_time")
    @classmethod
    def _in_utc(cls, moment: datetime | None) -> datetime | None:
        return in_utc(moment)

    @field_validator("props")
    @classmethod
    def _free_names(cls, props: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(props.keys() & BESIDE_PROPS):
            raise ValueError(f"{', '.join(taken)}: on the stream these stand beside the props")
        return props

    def new(self) -> NewEvent:
        """Return the event."""
        return NewEvent(**{name: getattr(self, name) for name in type(self).model_fields})
