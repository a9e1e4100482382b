"""Snapshots of a transaction, made of the marks that its changes left."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from sqlalchemy import Connection

from relay.service.records import OutboxRecord
from relay.service.sqlalchemy.rows import Found, Identity
from relay.service.sqlalchemy.tracked import Tracked
from relay.service.writer import State


class Change(Enum):
    """Reason of a mark."""

    INSERTED = auto()
    UPDATED = auto()
    DELETED = auto()
    REQUESTED = auto()
    """The service says that the row was changed."""
    REPLAYED = auto()


class Mark(NamedTuple):
    """A note that one row of a tracked class was changed through *connection*.

    *state* is the last one known of a deleted row.
    """

    tracked: Tracked
    identity: Identity
    connection: Connection
    change: Change
    state: State | None = None

    @property
    def schema(self) -> str | None:
        """Schema of the tables, if no search_path finds them."""
        return self.tracked.composer.schema


class Told(NamedTuple):
    """The record of one row of *entity*, to be written through *connection*."""

    entity: type
    identity: Identity
    connection: Connection
    record: OutboxRecord


class _Noted(NamedTuple):
    """A mark, and what the database has under its key."""

    mark: Mark
    found: Found


def snapshots(marks: Sequence[Mark]) -> list[Told]:
    """Return one record for each object that *marks* name, in the order of their first mark."""
    histories: dict[int, list[_Noted]] = {}
    for places in _by_source(marks):
        founds = _read([marks[place] for place in places])
        for place, found in zip(places, founds, strict=True):
            first = places[found.same_as]
            histories.setdefault(first, []).append(_Noted(marks[place], found))
    return [
        Told(
            history[0].mark.tracked.mapper.class_,
            history[0].found.identity,
            history[0].mark.connection,
            record,
        )
        for _, history in sorted(histories.items())
        if (record := _record(history)) is not None
    ]


def _by_source(marks: Sequence[Mark]) -> Iterable[list[int]]:
    places: defaultdict[tuple[Tracked, Connection], list[int]] = defaultdict(list)
    for place, mark in enumerate(marks):
        places[mark.tracked, mark.connection].append(place)
    return places.values()


def _read(marks: Sequence[Mark]) -> list[Found]:
    """Return the rows that *marks* name, as they are now and stay until the commit."""
    rows, connection = marks[0].tracked.rows, marks[0].connection
    # What this transaction changed is locked by that; what it only names is not.
    named = [mark.identity for mark in marks if mark.change in {Change.REQUESTED, Change.REPLAYED}]
    if named:
        rows.lock(connection, named, share=True)
    return rows.read(connection, [mark.identity for mark in marks])


def _record(history: Sequence[_Noted]) -> OutboxRecord | None:
    changes = [noted.mark.change for noted in history]
    first = history[0]
    replayed = all(change is Change.REPLAYED for change in changes)
    if first.found.state is not None:
        record = first.mark.tracked.snapshot(first.found.state)
        return record._replace(replayed="true") if replayed else record
    # What came and went within one transaction was never there for anyone. Of what has gone while
    # a replay came to it, another transaction has told. And an updated row of another class, which
    # shares the table, is none of ours.
    gone = Change.DELETED in changes or Change.REQUESTED in changes
    if changes[0] is Change.INSERTED or not gone:
        return None
    last_known = next((noted.mark.state for noted in reversed(history) if noted.mark.state), None)
    return first.mark.tracked.deleted_snapshot(first.found.identity, last_known)
