"""What a list of events can be narrowed by."""

from enum import StrEnum
from typing import Annotated, Final, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from relay.service.events.severity import Severity

LIMIT_MAX: Final = 10_000
LIMIT_DEFAULT: Final = 1_000
# PostgreSQL stores no NUL character, so nothing can match one.
NO_NUL: Final = r"^[^\x00]*$"


class Order(StrEnum):
    """By the time at which events happened."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


class Cursor(NamedTuple):
    """An event's place among all events: the next page begins behind it, in either order."""

    microseconds: int
    """Of its time, since 1970."""
    id: int

    def __str__(self) -> str:
        return f"{self.microseconds}.{self.id}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the cursor that *text* is."""
        microseconds, number = text.split(".")
        return cls(int(microseconds), int(number))


def _split(values: object) -> object:
    """Take ``a,b`` for ``a`` and ``b``, as clients with comma-separated lists send it."""
    if not isinstance(values, list):
        return values
    return [part for value in values for part in str(value).split(",")]


Several = BeforeValidator(_split)
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]


class EventFilter(BaseModel):
    """The query of a list. Parameters that are not known are refused, or a typing error in one
    would list everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cluster_id: UUID | None = Field(None, description="events of this cluster")
    host_ids: Annotated[list[UUID], Several] = Field(
        [], max_length=1_000, description="events of these hosts; repeat it or use commas"
    )
    infra_env_id: UUID | None = Field(None, description="events of this infra-env")
    severities: Annotated[list[Severity], Several] = Field(
        [], max_length=10, description="events of these severities; repeat it or use commas"
    )
    categories: Annotated[list[Name], Several] = Field(
        [], max_length=10, description="events of these categories; repeat it or use commas"
    )
    message: str | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        pattern=NO_NUL,
        description="a part of the message, in whatever case; % and _ stand for themselves",
    )
    cluster_level: bool | None = Field(
        None,
        description="true: events that belong to no host, beside those of host_ids where given; "
        "false: events of hosts alone",
    )
    order: Order = Field(Order.ASCENDING, description="the oldest first, or the newest")
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="events of one page")
    offset: int = Field(
        0, ge=0, lt=1 << 31, description="events to leave out; for long lists use cursor"
    )
    cursor: str | None = Field(
        None,
        pattern=r"^-?[0-9]{1,17}\.[0-9]{1,18}$",
        description="the header Next-Cursor of the page before",
    )
