"""Stored events and current states, back on the stream for a consumer that lost its data.

A replay is told by one more header. An event keeps its event id, and a state gets a new `seq`
drawn while its row is locked, so that it is as good as the change that made it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from relay.formats.event_record import EventRecord
from relay.service.composer import Composer
from relay.service.records import OutboxRecord

LOCK_TIMEOUT: Final = "500ms"
"""Shorter than PostgreSQL's deadlock_timeout, so that it is the replay that gives way."""

EVENT_COLUMNS: Final = (
    "event_id::text",
    "name",
    "category",
    "severity",
    "message",
    # As it is rendered when it is emitted.
    "to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')",
    "cluster_id::text",
    "host_id::text",
    "infra_env_id::text",
    "request_id",
    "props::text",
    "subject_kind",
    "subject_id",
)
"""Columns of `outbox_event` that make an `EventRecord`."""


class StatePage(NamedTuple):
    """Some current states of one name; *publish* puts them on the stream in one transaction."""

    name: str
    states: int
    publish: Callable[[], None]


def event_again(row: Sequence[Any], composer: Composer) -> OutboxRecord:
    """Return the message of a stored event, given its EVENT_COLUMNS.

    The order of its own fields is that of jsonb. A key or topic that its writer chose is not stored
    with it, and not known here.
    """
    event = EventRecord(*row)
    return composer.replayed(event, json.loads(event.props))


def is_about(record: OutboxRecord, cluster: UUID | None) -> bool:
    """Tell whether *record* belongs to *cluster*; everything does where none is given."""
    return cluster is None or record.key == str(cluster)
