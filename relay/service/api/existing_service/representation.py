from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from relay.service.events.severity import Severity

# props: a text that holds JSON, or nothing. Clients stop at an object.
EVENT: Final = """json_build_object(
        'name', name,
        'category', category,
        'severity', severity,
        'message', message,
        'event_time', to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'cluster_id', cluster_id,
        'host_id', host_id,
        'infra_env_id', infra_env_id,
        'request_id', request_id,
        'props', CASE WHEN props = '{}' THEN '' ELSE props::text END)::text"""


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
