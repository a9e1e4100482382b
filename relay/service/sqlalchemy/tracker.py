"""Notes which objects of tracked classes a flush changes."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import Mapper, object_session

from relay.service.sqlalchemy.buffer import buffer_of
from relay.service.sqlalchemy.cascades import affected
from relay.service.sqlalchemy.rows import Identity, comparable
from relay.service.sqlalchemy.snapshots import Mark
from relay.service.sqlalchemy.tracked import Tracked
from relay.service.writer import State

Listener = Callable[[Mapper[Any], Connection, object], None]


class Tracker:
    """Listens to the mapper of one tracked class, and of the classes derived from it."""

    def __init__(self, tracked: Tracked, registry: Mapping[type, Tracked]) -> None:
        self._tracked = tracked
        self._registry = registry
        self._listeners: dict[str, Listener] = {
            "after_insert": self._inserted,
            "before_update": self._updating,
            "after_update": self._updated,
            "before_delete": self._deleted,
        }
        for name, listener in self._listeners.items():
            event.listen(tracked.mapper.class_, name, listener, propagate=True)

    def close(self) -> None:
        """Stop listening."""
        for name, listener in self._listeners.items():
            event.remove(self._tracked.mapper.class_, name, listener)

    def _inserted(self, _mapper: Mapper[Any], _connection: Connection, target: object) -> None:
        self._mark(target, self._identity(target), inserted=True)

    def _updating(self, _mapper: Mapper[Any], _connection: Connection, target: object) -> None:
        # A value that is an SQL expression is forgotten when it was written.
        if _is_modified(target):
            self._mark(target, self._identity(target))

    def _updated(self, _mapper: Mapper[Any], connection: Connection, target: object) -> None:
        # Other listeners may have changed it since.
        if not _is_modified(target):
            return
        identity = self._identity(target)
        self._mark(target, identity)
        former = inspect(target, raiseerr=True).identity
        if former is not None and comparable(former) != comparable(identity):
            self._moved(target, former, identity, connection)

    def _moved(
        self, target: object, former: Identity, identity: Identity, connection: Connection
    ) -> None:
        """Publish the object's former primary key as deleted, with its last known state."""
        state = self._tracked.rows.read(connection, [identity]).get(comparable(identity), {})
        known = {**state, **dict(zip(self._tracked.rows.identity_columns, former, strict=True))}
        self._mark(target, former, deleted=known)

    def _deleted(self, _mapper: Mapper[Any], connection: Connection, target: object) -> None:
        identity = self._identity(target)
        state = self._tracked.rows.read(connection, [identity]).get(comparable(identity))
        self._mark(target, identity, deleted=state)
        if (session := object_session(target)) is not None:
            for mark in affected(connection, self._tracked, identity, self._registry.values()):
                buffer_of(session).add(mark)

    def _identity(self, target: object) -> Identity:
        return tuple(self._tracked.mapper.primary_key_from_instance(target))

    def _mark(
        self,
        target: object,
        identity: Identity,
        *,
        inserted: bool = False,
        deleted: State | None = None,
    ) -> None:
        if (session := object_session(target)) is not None:
            buffer_of(session).add(Mark(self._tracked, identity, inserted, deleted))


def _is_modified(target: object) -> bool:
    """Events of an update fire for every dirty object, also where no column is written."""
    session = object_session(target)
    return session is not None and session.is_modified(target, include_collections=False)
