"""Notes which objects of tracked classes a flush changes."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Mapper, object_session

from relay.service.buffer import buffer_of
from relay.service.snapshots import Identity, Mark, State, Tracked, comparable

Listener = Callable[[Mapper[Any], Connection, object], None]


class Tracker:
    """Listens to the mapper of one tracked class, and of the classes derived from it."""

    def __init__(self, tracked: Tracked) -> None:
        self._tracked = tracked
        self._listeners: dict[str, Listener] = {
            "after_insert": self._inserted,
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

    def _updated(self, _mapper: Mapper[Any], _connection: Connection, target: object) -> None:
        session = object_session(target)
        # Fires for every dirty object, also where no column is written.
        if session is not None and session.is_modified(target, include_collections=False):
            self._mark(target, self._identity(target))

    def _deleted(self, _mapper: Mapper[Any], connection: Connection, target: object) -> None:
        identity = self._identity(target)
        state = self._tracked.read(connection, [identity]).get(comparable(identity))
        self._mark(target, identity, deleted=state)

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
