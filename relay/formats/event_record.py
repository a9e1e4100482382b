from typing import NamedTuple


class EventRecord(NamedTuple):
    """An event as it is stored, in texts; *props* is the JSON of its own fields.

    *subject_kind* and *subject_id*: what it belongs to in a domain of the service's own.
    """

    event_id: str
    name: str
    category: str
    severity: str
    message: str
    event_time: str
    cluster_id: str | None
    host_id: str | None
    infra_env_id: str | None
    request_id: str | None
    props: str
    subject_kind: str | None = None
    subject_id: str | None = None
