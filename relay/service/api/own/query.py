from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from relay.service.api.core.cursor import PATTERN, Cursor
from relay.service.api.core.filter import LIMIT_MAX, NO_NUL, OFFSET_MAX, EventFilter, Order
from relay.service.api.core.values import Listed, Moment, Name, Truth, Whole
from relay.service.events.severity import Severity

LIMIT_DEFAULT: Final = 1_000


def _split(values: object) -> object:
    """Take ``a,b`` for ``a`` and ``b``, as clients with comma-separated lists send it."""
    if not isinstance(values, list):
        return values
    return [part for value in values for part in str(value).split(",")]


Several: Final = BeforeValidator(_split)


class ListQuery(BaseModel):
    """The query of a list. Parameters that are not known are refused, or a typing error in one
    would list everything.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cluster_id: UUID | None = Field(None, description="events of this cluster")
    infra_env_id: UUID | None = Field(None, description="events of this infra-env")
    host_ids: Annotated[list[UUID], Several] = Field(
        [], max_length=1_000, description="events of these hosts; repeat it or use commas"
    )
    subject: UUID | None = Field(
        None, description="events of this cluster, infra-env or host, whichever it is"
    )
    subject_kind: Name | None = Field(
        None, description='events of a domain of your own: its scope, such as "order"'
    )
    subject_id: Annotated[str, Field(min_length=1, max_length=1_024, pattern=NO_NUL)] | None = (
        Field(None, description="the id of that, as a text; alone, of any scope")
    )
    names: Annotated[list[Listed], Several] = Field(
        [], max_length=100, description="events of these names; repeat it or use commas"
    )
    severities: Annotated[list[Severity], Several] = Field(
        [], max_length=10, description="events of these severities; repeat it or use commas"
    )
    categories: Annotated[list[Listed], Several] = Field(
        [], max_length=10, description="events of these categories; repeat it or use commas"
    )
    message: str | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        pattern=NO_NUL,
        description="a part of the message, in whatever case; % and _ stand for themselves",
    )
    request_id: Name | None = Field(None, description="events of this request")
    since: Moment | None = Field(None, description="events of this time and later")
    until: Moment | None = Field(None, description="events before this time")
    cluster_level: Truth | None = Field(
        None,
        description="true: events that belong to no host, beside those of host_ids where given; "
        "false: events of hosts alone",
    )
    order: Order = Field(Order.ASCENDING, description="the oldest first, or the newest")
    limit: Whole = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="events of one page")
    offset: Whole = Field(
        0, ge=0, le=OFFSET_MAX, description="events to leave out; for long lists use cursor"
    )
    cursor: Annotated[str, Field(pattern=PATTERN)] | None = Field(
        None, description="the header Next-Cursor of the page before"
    )

    def filter(self) -> EventFilter:
        """Return what is asked for."""
        given: dict[str, Any] = self.model_dump(exclude_none=True, exclude={"cursor"})
        tuples = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        after = Cursor.of(self.cursor) if self.cursor else None
        return EventFilter(**given | tuples, after=after)


LISTS: Final = frozenset({"host_ids", "names", "severities", "categories"})
