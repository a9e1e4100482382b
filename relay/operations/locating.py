"""Locating a key, an event or a row: does it wait, is it parked, or has it left, and why?"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import errors
from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.operations.history import Past, PastChange, history
from relay.operations.queries import browsing as queries
from relay.operations.selection import Row, Selection, find
from relay.operations.whereabouts import Whereabouts, whereabouts

ROWS_MAX: Final = 50
CHANGES_MAX: Final = 20
EVENTS_MAX: Final = 10
# For all rows that wait in a shard.
PATIENCE_MS: Final = 5_000
# Without a key, every row is looked at: that may take long, and is given up.
SCAN_MS: Final = 1_000
_ID_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True)
class EventBrief:
    """Stored event, without its own fields."""

    event_id: UUID
    event_time: datetime
    name: str
    severity: str
    message: str
    cluster_id: UUID | None
    host_id: UUID | None
    infra_env_id: UUID | None
    subject_kind: str | None
    subject_id: str | None

    @property
    def keys(self) -> list[str]:
        """The keys that it may have on the stream."""
        ids = (self.cluster_id, self.infra_env_id, self.host_id, self.subject_id, self.event_id)
        return [str(each) for each in ids if each is not None]


@dataclass(frozen=True)
class Located:
    """All that is known of what was looked for; *unknown* names what could not be looked at.

    *unfinished*: there were too many rows to look at all of them in time.
    """

    rows: Sequence[Row] = ()
    places: Mapping[int, Whereabouts] = field(default_factory=dict)
    changes: Sequence[PastChange] = ()
    event: EventBrief | None = None
    events: Sequence[EventBrief] = ()
    unknown: Sequence[str] = ()
    unfinished: bool = False


def locate(connection: Connection, wanted: str, patience_ms: int = PATIENCE_MS) -> Located:
    """Return what is known of *wanted*: the id of a row, an event id, or a key.

    *patience_ms*: how long to look, the rows that wait included.

    Raises:
        SchemaError: the user may not look at the outbox.
    """
    search = _Search(connection, patience_ms)
    changes = search.past(Past(key=wanted))
    given = _uuid(wanted)
    event = search.stored(given) if given else None
    events = search.about(given) if given else []
    rows = search.rows(wanted, given, event)
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) <= _ID_MAX:
        rows += find(connection, Selection(ids=[int(wanted)]), limit=1)
        changes += search.past(Past(outbox_id=int(wanted)))
    elif given:
        changes += search.past(Past(event_id=given))
        if not (rows or event or events or changes):
            rows = search.anywhere(given)
    found = {row.id: row for row in rows}
    return Located(
        rows=list(found.values()),
        places=whereabouts(connection, list(found.values())),
        changes=list({change.id: change for change in changes}.values()),
        event=event,
        events=events,
        unknown=search.unknown,
        unfinished=search.unfinished,
    )


class _Search:
    """Questions to PostgreSQL; one that it does not answer is named in *unknown*."""

    def __init__(self, connection: Connection, patience_ms: int) -> None:
        self._connection = connection
        self._until = time.monotonic() + patience_ms / 1000
        self.unknown: list[str] = []
        self.unfinished = False

    def rows(self, key: str, event_id: UUID | None, event: EventBrief | None) -> list[Row]:
        """Return the rows of *key* or *event_id*: first what waits, then what is parked."""
        keys = [key, *(event.keys if event else ())]
        given: dict[str, Any] = {
            "key": key, "keys": keys, "event_id": event_id, "limit": ROWS_MAX,
        }  # fmt: skip
        found = self._rows(queries.WAITING, "the rows that wait", self._left_ms(), **given)
        found += self._rows(queries.PARKED_OF_KEY, "parked rows of this key", **given)
        if event_id is not None:
            found += self._rows(queries.PARKED_OF_EVENT, "its parked row", **given)
        return found

    def anywhere(self, event_id: UUID) -> list[Row]:
        """Return the row of an event whose key nothing tells."""
        what = "every row that waits: without a stored event nothing tells its key"
        patience = min(SCAN_MS, self._left_ms())
        return self._rows(queries.OF_EVENT_ANYWHERE, what, patience, event_id=event_id)

    def _left_ms(self) -> int:
        return max(1, round(1000 * (self._until - time.monotonic())))

    def past(self, past: Past) -> list[PastChange]:
        try:
            return history(self._connection, past, limit=CHANGES_MAX)
        except errors.QueryCanceled:
            self.unknown.append("past actions")
            return []

    def stored(self, event_id: UUID) -> EventBrief | None:
        found = self._events(queries.EVENT, event_id=event_id)
        return found[0] if found else None

    def about(self, given: UUID) -> list[EventBrief]:
        return self._events(queries.EVENTS_ABOUT, id=given, limit=EVENTS_MAX)

    def _rows(
        self,
        query: str,
        what: str,
        patience: int = PATIENCE_MS,
        **given: Any,  # noqa: ANN401
    ) -> list[Row]:
        try:
            with (
                needing("outbox_reader"),
                bounded(self._connection, patience),
                self._connection.cursor(row_factory=class_row(Row)) as cursor,
            ):
                self._connection.execute(queries.WITHOUT_JIT)
                return cursor.execute(query.encode(), given).fetchall()
        except errors.QueryCanceled:
            self.unknown.append(what)
            self.unfinished = True
            return []

    def _events(self, query: str, **given: Any) -> list[EventBrief]:  # noqa: ANN401
        try:
            with (
                bounded(self._connection),
                self._connection.cursor(row_factory=class_row(EventBrief)) as cursor,
            ):
                return cursor.execute(query.encode(), given).fetchall()
        except (errors.InsufficientPrivilege, errors.QueryCanceled):
            if "stored events" not in self.unknown:
                self.unknown.append("stored events")
            return []


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
