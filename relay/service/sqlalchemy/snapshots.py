"""Snapshots of a transaction, made of the marks that its changes left."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from relay.service.records import OutboxRecord
from relay.service.sqlalchemy.rows import Identity, comparable
from relay.service.sqlalchemy.tracked import Tracked
from relay.service.writer import State


class Mark(NamedTuple):
    """A note that one row of a tracked class was changed in this transaction."""

    tracked: Tracked
    identity: Identity
    inserted: bool = False
    deleted: State | None = None
    replayed: bool = False

    @property
    def schema(self) -> str | None:
        """Schema of the tables, if no search_path finds them."""
        return self.tracked.composer.schema


def snapshots(
    marks: Iterable[Mark], connection_for: Callable[[Tracked], Connection]
) -> list[OutboxRecord]:
    """Return one record for each object that *marks* name, in the order of their first mark."""
    by_object: dict[tuple[Tracked, Identity], list[Mark]] = {}
    for mark in marks:
        by_object.setdefault((mark.tracked, comparable(mark.identity)), []).append(mark)
    states = _states(by_object.values(), connection_for)
    records = (
        _record(history, states[tracked].get(identity))
        for (tracked, identity), history in by_object.items()
    )
    return [record for record in records if record is not None]


def _states(
    histories: Iterable[list[Mark]], connection_for: Callable[[Tracked], Connection]
) -> dict[Tracked, dict[Identity, State]]:
    """Return the rows that the marks name, as they are now."""
    identities: dict[Tracked, list[Identity]] = {}
    # What this transaction changed is locked by that; what it only replays is not.
    shared: set[Tracked] = set()
    for history in histories:
        identities.setdefault(history[0].tracked, []).append(history[0].identity)
        shared.update(mark.tracked for mark in history if mark.replayed)
    return {
        tracked: tracked.rows.read(connection_for(tracked), wanted, share=tracked in shared)
        for tracked, wanted in identities.items()
    }


def _record(history: list[Mark], state: State | None) -> OutboxRecord | None:
    first = history[0]
    replayed = all(mark.replayed for mark in history)
    if state is not None:
        record = first.tracked.snapshot(state)
        return record._replace(replayed="true") if replayed else record
    # What came and went within one transaction was never there for anyone. And of what has
    # gone while a replay came to it, another transaction has told.
    if first.inserted or replayed:
        return None
    last_known = next((mark.deleted for mark in reversed(history) if mark.deleted), None)
    return first.tracked.deleted_snapshot(first.identity, last_known)
