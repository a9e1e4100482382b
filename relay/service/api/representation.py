"""What an answer looks like. PostgreSQL writes the events; the model here describes them."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from relay.service.api.listing import Counts
from relay.service.events.severity import Severity


class StoredEvent(BaseModel):
    """An event."""

    event_id: UUID = Field(description="the same as on the stream")
    name: str
    category: str
    severity: Severity
    message: str
    event_time: datetime
    cluster_id: UUID | None
    host_id: UUID | None
    infra_env_id: UUID | None
    request_id: str | None
    props: dict[str, JsonValue] = Field(description="the event's own fields")


def count_headers(counts: Counts) -> dict[str, str]:
    """Return the headers that say how many events there are."""
    by_severity = {
        _severity_header(severity): str(count) for severity, count in counts.severities.items()
    }
    return by_severity | {"Event-Count": str(counts.events)}


def _severity_header(severity: Severity) -> str:
    return f"Severity-Count-{severity.capitalize()}"


def _described(description: str, kind: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


LIST_HEADERS: Final = {
    **{
        _severity_header(severity): _described(
            f"Events of severity {severity} that match all filters but severities", "integer"
        )
        for severity in Severity
    },
    "Event-Count": _described("Events that match the filter, on all pages", "integer"),
    "Next-Cursor": _described("Where the next page begins; none after the last one", "string"),
}
