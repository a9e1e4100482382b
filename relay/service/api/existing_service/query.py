"""The queries that the existing service's web UI, generated clients and tools send."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from relay.service.api.access.credentials import API_KEY
from relay.service.api.core.filter import LIMIT_MAX, NO_NUL, OFFSET_MAX, EventFilter, Order
from relay.service.api.core.values import Whole
from relay.service.events.severity import Severity

LIMIT_DEFAULT: Final = 5_000
_INTEGER: Final = (1 << 63) - 1


def _listed(values: object) -> object:
    """Take commas and repetitions alike. What is empty, as behind a trailing comma, is left out."""
    if not isinstance(values, list):
        return values
    parts = (part.strip() for value in values for part in str(value).split(","))
    return [part for part in parts if part]


Listed: Final = BeforeValidator(_listed)
Category = Annotated[str, Field(max_length=100, pattern=NO_NUL)]


class ListQuery(BaseModel):
    """The query of a list. An empty value means that the parameter is not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cluster_id: UUID | None = Field(None, description="events of this cluster")
    host_id: UUID | None = Field(None, description="events of this host; older than host_ids")
    host_ids: Annotated[list[UUID], Listed] = Field(
        [], max_length=1_000, description="events of these hosts, with commas"
    )
    infra_env_id: UUID | None = Field(None, description="events of this infra-env")
    severities: Annotated[list[Severity], Listed] = Field(
        [], max_length=10, description="events of these severities, with commas"
    )
    categories: Annotated[list[Category], Listed] = Field(
        [], max_length=10, description="events of these categories, with commas; else of user"
    )
    message: str | None = Field(
        None, max_length=1_000, pattern=NO_NUL, description="a part of the message"
    )
    deleted_hosts: bool | None = Field(
        None,
        description="true: events of deleted hosts, beside those of the hosts that are given, "
        "where the service says which are deleted",
    )
    cluster_level: bool | None = Field(
        None, description="true: events of no host, beside those of the hosts that are given"
    )
    order: Order = Field(Order.ASCENDING, description="the oldest first, or the newest")
    limit: Whole = Field(
        LIMIT_DEFAULT, le=_INTEGER, ge=-1, description=f"events at most; -1 is {LIMIT_MAX}"
    )
    offset: Whole = Field(0, ge=-1, le=OFFSET_MAX, description="events to leave out; -1 is none")
    api_key: str | None = Field(None, description="token of a link", repr=False)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, query: Any) -> Any:  # noqa: ANN401 - pydantic's own
        if not isinstance(query, Mapping):
            return query
        return {name: value for name, value in query.items() if value is not None and value != ""}

    def filter(self, deleted_hosts: str = "") -> EventFilter:
        """Return what is asked for. *deleted_hosts* is SQL for the ids of deleted hosts, if any."""
        hosts = (*self.host_ids, *([self.host_id] if self.host_id else ()))
        return EventFilter(
            cluster_id=self.cluster_id,
            infra_env_id=self.infra_env_id,
            host_ids=hosts,
            severities=tuple(self.severities),
            categories=tuple(self.categories) or ("user",),
            message=self.message or "",
            # False is no filter here.
            cluster_level=self.cluster_level or None,
            deleted_hosts=deleted_hosts if self.deleted_hosts else "",
            order=self.order,
            limit=LIMIT_MAX if self.limit < 0 else min(self.limit, LIMIT_MAX),
            offset=max(0, self.offset),
        )


LISTS: Final = frozenset({"host_ids", "severities", "categories"})
EVERYWHERE: Final = frozenset({API_KEY})
