"""Puts stored events and current states back on the stream, for a consumer that lost its data.

A replay is told by one more header. An event keeps its event id, and a state gets a new `seq`
drawn while its row is locked, so that it is as good as the change that made it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, tuple_

from relay.formats import Format
from relay.formats.event_record import EventRecord
from relay.service.message import outbox_row
from relay.service.records import OutboxRecord
from relay.service.redaction.redactor import Redactor
from relay.service.sqlalchemy.snapshots import REPLAYED, Identity, Tracked

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
)
"""What to select from `outbox_event` to make an `EventRecord`."""


def event_again(row: EventRecord, form: Format, metadata: str, redactor: Redactor) -> OutboxRecord:
    """Return the message of a stored event, made as it was made when the event was emitted.

    The order of its own fields is that of jsonb. A key or topic that its writer chose is not stored
    with it, and not known here.
    """
    props: Mapping[str, Any] = json.loads(row.props)
    message = form.checked(form.event(row, props))
    return outbox_row(message, metadata, redactor)._replace(headers=REPLAYED)


def is_about(row: OutboxRecord, cluster: UUID | None) -> bool:
    """Tell whether *row* belongs to *cluster*; everything does where none is given."""
    return cluster is None or row.key == str(cluster)


def identities(
    connection: Connection, tracked: Tracked, cluster: UUID | None, rows: int
) -> Iterator[Sequence[Identity]]:
    """Yield the primary keys of the objects whose key is *cluster*, about *rows* at a time."""
    columns = tuple(tracked.identity_columns.values())
    query = tracked.rows.order_by(*columns).limit(rows)
    after: Identity | None = None
    while True:
        page = query if after is None else query.where(tuple_(*columns) > tuple_(*after))
        states = [dict(row) for row in connection.execute(page).mappings()]
        if states:
            after = tracked.identity_of(states[-1])
            yield [
                tracked.identity_of(state)
                for state in states
                if is_about(tracked.snapshot(state), cluster)
            ]
        if len(states) < rows:
            return
