"""Notes which objects of tracked classes a flush changes, from what it does to their rows."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, event, inspect
from sqlalchemy.orm import Mapper, Session, object_session

from relay.service.sqlalchemy.buffer import Buffer, buffer_of
from relay.service.sqlalchemy.cascades import deleted_with, moved_with
from relay.service.sqlalchemy.columns import family_of
from relay.service.sqlalchemy.rows import Identity
from relay.service.sqlalchemy.snapshots import Change, Mark
from relay.service.sqlalchemy.tracked import Tracked
from relay.service.sqlalchemy.updates import Update

Listener = Callable[[Mapper[Any], Connection, object], None]


class Tracker:
    """Listens to the mapper of one tracked class, and of the classes derived from it."""

    def __init__(self, tracked: Tracked, registry: Mapping[type, Tracked]) -> None:
        self._tracked = tracked
        self._registry = registry
        self.tables = tracked.tables
        self._family = frozenset(family_of(tracked.mapper))
        self._listeners: dict[str, Listener] = {
            "after_insert": self._inserted,
            "before_delete": self._deleting,
        }
        if tracked.rows.has_several_tables:
            self._listeners["before_update"] = self._updating
        for name, listener in self._listeners.items():
            event.listen(tracked.mapper.class_, name, listener, propagate=True)

    def close(self) -> None:
        """Stop listening."""
        for name, listener in self._listeners.items():
            event.remove(self._tracked.mapper.class_, name, listener)

    def updates(self, session: Session, connection: Connection, update: Update) -> None:
        """Note the rows that *update*, which *session* is about to send, changes."""
        shown = self._tracked.shows(update.columns)
        followed = self._carries(update.columns)
        if not (shown or followed):
            return
        buffer, rows = buffer_of(session), self._tracked.rows
        for former, values in update.rows(rows.key_places):
            identity = rows.moved(former, values)
            if identity != former or rows.changes_kind(values):
                self._delete(buffer, connection, former)
            if shown:
                # Under a new key it was not there before: it may go on to another one.
                change = Change.UPDATED if identity == former else Change.INSERTED
                buffer.add(Mark(self._tracked, identity, connection, change))
            if followed:
                others = self._registry.values()
                for mark in moved_with(connection, rows, former, values, others):
                    buffer.add(mark)

    def _carries(self, columns: frozenset[Column[Any]]) -> bool:
        """Tell whether the database hands changes of these *columns* on to other tracked rows."""
        return any(
            element.column in columns
            for other in self._registry.values()
            for constraint in other.following
            for element in constraint.elements
        )

    def _delete(self, buffer: Buffer, connection: Connection, identity: Identity) -> bool:
        """Note that a row goes; False where another transaction has deleted it, and told."""
        rows = self._tracked.rows
        # Also against new references to it, which would go with it.
        rows.lock(connection, [identity])
        (found,) = rows.read(connection, [identity])
        if found.state is None:
            return False
        buffer.add(Mark(self._tracked, identity, connection, Change.DELETED, found.state))
        return True

    def _inserted(self, mapper: Mapper[Any], connection: Connection, target: object) -> None:
        if mapper in self._family and (session := object_session(target)) is not None:
            identity = tuple(self._tracked.mapper.primary_key_from_instance(target))
            buffer_of(session).add(Mark(self._tracked, identity, connection, Change.INSERTED))

    def _updating(self, mapper: Mapper[Any], connection: Connection, target: object) -> None:
        """Lock the row in its first table: an UPDATE of another one would leave that open."""
        state = inspect(target, raiseerr=True)
        if (mapper in self._family and state.identity is not None) and any(
            state.attrs[attribute.key].history.has_changes()
            for attribute in state.mapper.column_attrs
        ):
            self._tracked.rows.lock_root(connection, [state.identity])

    def _deleting(self, mapper: Mapper[Any], connection: Connection, target: object) -> None:
        session = object_session(target)
        if session is None or mapper not in self._family:
            return
        identity = tuple(self._tracked.mapper.primary_key_from_instance(target))
        buffer = buffer_of(session)
        if self._delete(buffer, connection, identity):
            others = self._registry.values()
            for mark in deleted_with(connection, self._tracked.rows, identity, others):
                buffer.add(mark)
