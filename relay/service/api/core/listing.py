"""Lists of events, page by page: each page is bounded in rows and in bytes."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final, LiteralString, Self, TypeAlias, cast
from uuid import UUID

from relay.service.api.access.caller import Caller
from relay.service.api.core import statements
from relay.service.api.core.cursor import Cursor
from relay.service.api.core.filter import EventFilter
from relay.service.api.database import Connection, Database, go_on_reading
from relay.service.events.severity import Severity

_ROWS_AT_A_TIME: Final = 8
"""Rows of unknown size that may be in memory beside the page."""
_SMALL_ROWS_AT_A_TIME: Final = 64
"""Rows that are small may come in larger parts, which takes half the time."""


_Row: TypeAlias = tuple[str | None, int, int, str]
"""An event as JSON text, its place, and its severity."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Events by severity, whatever the wanted severities, and those that match the whole filter."""

    severities: dict[Severity, int]
    events: int

    @classmethod
    def of(cls, found: Mapping[str, int], wanted: EventFilter) -> Self:
        """Return the counts, given what was *found* of each severity."""
        severities = {severity: found.get(severity.value, 0) for severity in Severity}
        chosen = wanted.severities or Severity
        return cls(severities, sum(severities[severity] for severity in set(chosen)))


@dataclass(frozen=True, slots=True)
class Page:
    """JSON texts of events, their severities, and where the next page begins, if there is one."""

    events: list[bytes]
    severities: list[str]
    next: Cursor | None


class _Growing:
    """A page that is being read."""

    def __init__(self, wanted: EventFilter, bytes_max: int) -> None:
        self._wanted = wanted
        self._bytes_left = bytes_max
        self._events: list[bytes] = []
        self._severities: list[str] = []
        self._place: tuple[int, int] | None = None
        self._is_last = True

    def missing(self) -> EventFilter:
        """Return what is still wanted, and one event more: whether there is a next page."""
        left = self._wanted.limit - len(self._events) + 1
        if self._place is None:
            return replace(self._wanted, limit=left)
        return replace(self._wanted, limit=left, offset=0, after=Cursor(*self._place))

    def take(self, rows: Iterable[_Row]) -> bool:
        """Read *rows* up to one without an event; tell whether that was the end."""
        for event, microseconds, number, severity in rows:
            if self._is_full():
                self._is_last = False
                break
            if event is None:
                return False
            text = event.encode()
            self._events.append(text)
            self._severities.append(severity)
            self._place = microseconds, number
            self._bytes_left -= len(text)
        return True

    def finished(self) -> Page:
        """Return the page."""
        following = Cursor(*self._place) if self._place and not self._is_last else None
        return Page(self._events, self._severities, following)

    def _is_full(self) -> bool:
        return self._bytes_left <= 0 or len(self._events) == self._wanted.limit


_EMPTY: Final = Page([], [], None)


@dataclass(frozen=True, slots=True)
class Listing:
    """Lists events. *event* is the SQL of one, as JSON text: PostgreSQL writes the whole object.

    A model for each of a thousand rows would take longer than the query. *page_bytes*: a page ends
    with the event that reaches this size.
    """

    database: Database
    event: LiteralString
    page_bytes: int

    def first(self, wanted: EventFilter, caller: Caller) -> tuple[Counts, Page]:
        """Return the counts and the first page, of one moment."""
        with self.database.reading() as connection:
            if wanted.offset:
                counted = counts(connection, wanted, caller)
                is_beyond = wanted.offset >= counted.events
                return counted, _EMPTY if is_beyond else self._page(connection, wanted, caller)
            page = self._page(connection, wanted, caller)
            # To count what was just read would take a quarter of the time again.
            if page.next is None and wanted.limit and not wanted.severities:
                return Counts.of(Counter(page.severities), wanted), page
            return counts(connection, wanted, caller), page

    def counts(self, wanted: EventFilter, caller: Caller) -> Counts:
        """Return the counts alone."""
        with self.database.reading() as connection:
            return counts(connection, wanted, caller)

    def page(self, wanted: EventFilter, caller: Caller) -> Page:
        """Return one page, without counts."""
        with self.database.reading() as connection:
            return self._page(connection, wanted, caller)

    def pages(self, page: Page, wanted: EventFilter, caller: Caller) -> Iterator[Page]:
        """Yield *page*, which is the first, and those behind it, up to the wanted limit.

        No connection is held between two of them: a client may be slow.
        """
        yield page
        left = wanted.limit - len(page.events)
        while page.next is not None and left > 0:
            page = self.page(replace(wanted, limit=left, offset=0, after=page.next), caller)
            left -= len(page.events)
            yield page

    def one(self, event_id: UUID, caller: Caller) -> str | None:
        """Return the event as JSON text; None where the caller sees no such event."""
        with self.database.reading() as connection:
            return one(connection, self.event, event_id, caller)

    def _page(self, connection: Connection, wanted: EventFilter, caller: Caller) -> Page:
        if not wanted.limit:
            return _EMPTY
        page = _Growing(wanted, self.page_bytes)
        # Small rows, up to the first that is large; then whatever there is.
        for event, rows in (
            (statements.small(self.event), _SMALL_ROWS_AT_A_TIME),
            (self.event, _ROWS_AT_A_TIME),
        ):
            text, parameters = statements.page(event, page.missing(), caller)
            stream = connection.cursor().stream(text.encode(), parameters, size=rows)
            # Closed early, it cancels the query; the rest is not read.
            with closing(cast("Generator[_Row]", stream)) as found:
                is_complete = page.take(found)
            go_on_reading(connection)
            if is_complete:
                break
        return page.finished()


def counts(connection: Connection, wanted: EventFilter, caller: Caller) -> Counts:
    """Count what matches *wanted*."""
    text, parameters = statements.counts(wanted, caller)
    return Counts.of(dict(connection.execute(text.encode(), parameters).fetchall()), wanted)


def one(connection: Connection, event: LiteralString, event_id: UUID, caller: Caller) -> str | None:
    """Return the event as JSON text; None where *caller* sees no such event."""
    text, parameters = statements.one(event, event_id, caller)
    row = connection.execute(text.encode(), parameters).fetchone()
    return None if row is None else str(row[0])
