"""Locating a key, an event or a row: does it wait, is it parked, or has it left, and why?"""

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
    """All that is known of what was looked for; *unknown* names what could not be looked at."""

    rows: Sequence[Row] = ()
    places: Mapping[int, Whereabouts] = field(default_factory=dict)
    changes: Sequence[PastChange] = ()
    event: EventBrief | None = None
    events: Sequence[EventBrief] = ()
    unknown: Sequence[str] = ()


def locate(connection: Connection, wanted: str) -> Located:
    """Return what is known of *wanted*: the id of a row, an event id, or a key.

    Raises:
        SchemaError: the user may not look at the outbox.
    """
    search = _Search(connection)
    rows: list[Row] = search.of_key(wanted)
    changes = search.past(Past(key=wanted))
    event: EventBrief | None = None
    events: list[EventBrief] = []
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) <= _ID_MAX:
        rows += find(connection, Selection(ids=[int(wanted)]), limit=1)
        changes += search.past(Past(outbox_id=int(wanted)))
    elif (given := _uuid(wanted)) is not None:
        event = search.stored(given)
        rows += search.of_event(given, event)
        changes += search.past(Past(event_id=given))
        events = search.about(given)
    found = {row.id: row for row in rows}
    return Located(
        rows=list(found.values()),
        places=whereabouts(connection, list(found.values())),
        changes=list({change.id: change for change in changes}.values()),
        event=event,
        events=events,
        unknown=search.unknown,
    )


class _Search:
    """Questions to PostgreSQL; one that it does not answer is named in *unknown*."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.unknown: list[str] = []

    def of_key(self, key: str) -> list[Row]:
        given: dict[str, Any] = {"key": key, "limit": ROWS_MAX}
        waiting = self._rows(queries.OF_KEY, "waiting rows of this key", **given)
        return waiting + self._rows(queries.PARKED_OF_KEY, "parked rows of this key", **given)

    def of_event(self, event_id: UUID, event: EventBrief | None) -> list[Row]:
        keys = event.keys if event else [str(event_id)]
        found = self._rows(queries.OF_EVENT, "its row", event_id=event_id, keys=keys)
        if found or event:
            return found
        what = "every row that waits: without a stored event nothing tells its key"
        return self._rows(queries.OF_EVENT_ANYWHERE, what, SCAN_MS, event_id=event_id)

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

    def _rows(self, query: str, what: str, patience: int = 5_000, **given: Any) -> list[Row]:  # noqa: ANN401
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
