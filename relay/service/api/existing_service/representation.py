from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from relay.service.api.core.json_sql import TIME, json_object, text, uuid
from relay.service.events.severity import Severity

EVENT: Final = json_object(
    name=text("name"),
    category=text("category"),
    severity=text("severity"),
    message=text("message"),
    event_time=TIME,
    cluster_id=uuid("cluster_id"),
    host_id=uuid("host_id"),
    infra_env_id=uuid("infra_env_id"),
    request_id=text("request_id"),
    # A text that holds JSON, or nothing. Clients stop at an object.
    props="CASE WHEN props = '{}' THEN '\"\"' ELSE to_json(props::text)::text END",
)


class ListedEvent(BaseModel):
    """An event."""

    name: str
    category: str
    severity: Severity
    message: str
    event_time: datetime
    cluster_id: UUID | None
    host_id: UUID | None
    infra_env_id: UUID | None
    request_id: str | None
    props: str = Field(description="the event's own fields: a JSON object as a text, or empty")
