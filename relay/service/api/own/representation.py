"""Form of an answer. PostgreSQL writes the events; the model here describes them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue

from relay.service.api.core.count_headers import COUNT_HEADERS, described
from relay.service.api.core.json_sql import TIME, json_object, text, uuid
from relay.service.events.severity import Severity

EVENT: Final = json_object(
    event_id=uuid("event_id"),
    name=text("name"),
    category=text("category"),
    severity=text("severity"),
    message=text("message"),
    event_time=TIME,
    cluster_id=uuid("cluster_id"),
    host_id=uuid("host_id"),
    infra_env_id=uuid("infra_env_id"),
    subject_kind=text("subject_kind"),
    subject_id=text("subject_id"),
    request_id=text("request_id"),
    props="props::text",
)


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
    subject_kind: str | None = Field(description="scope of an event of the service's own domain")
    subject_id: str | None = Field(description="the id of what that belongs to, as a text")
    request_id: str | None
    props: dict[str, JsonValue] = Field(description="the event's own fields")


LIST_HEADERS: Final = {
    **COUNT_HEADERS,
    "Next-Cursor": described("Where the next page begins; none after the last one", "string"),
}
