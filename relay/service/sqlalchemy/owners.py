"""Classes that are not tracked, and whose rows take tracked ones along: by ON DELETE, ON UPDATE."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Connection, Table, event, inspect
from sqlalchemy.orm import Mapper, object_session

from relay.service.sqlalchemy.buffer import buffer_of
from relay.service.sqlalchemy.cascades import deleted_with, moved_with, takes_along
from relay.service.sqlalchemy.columns import family_of, root_of
from relay.service.sqlalchemy.rows import Rows
from relay.service.sqlalchemy.tracked import Tracked


class Owners:
    """Listens to the mappers of all classes for those that own tracked rows."""

    def __init__(self, tracked: Mapping[type, Tracked]) -> None:
        self._tracked = tracked
        self._owners: dict[Mapper[Any], Rows | None] = {}
        event.listen(Mapper, "before_delete", self._deleting)
        event.listen(Mapper, "before_update", self._updating)

    def forget(self) -> None:
        """Find the owners anew: another class is tracked."""
        self._owners.clear()

    def close(self) -> None:
        """Stop listening."""
        event.remove(Mapper, "before_delete", self._deleting)
        event.remove(Mapper, "before_update", self._updating)

    def _deleting(self, mapper: Mapper[Any], connection: Connection, target: object) -> None:
        rows = self._rows(mapper)
        if rows is None or (session := object_session(target)) is None:
            return
        identity = tuple(mapper.primary_key_from_instance(target))
        # Also against new references to it, which would go with it.
        rows.lock(connection, [identity])
        buffer = buffer_of(session)
        for mark in deleted_with(connection, rows, identity, self._tracked.values()):
            buffer.add(mark)

    def _updating(self, mapper: Mapper[Any], connection: Connection, target: object) -> None:
        rows = self._rows(mapper)
        if rows is None or (session := object_session(target)) is None:
            return
        state = inspect(target, raiseerr=True)
        if state.identity is None:
            return
        values = {
            column: getattr(target, attribute.key)
            for attribute in mapper.column_attrs
            if state.attrs[attribute.key].history.has_changes()
            for column in attribute.columns
            if isinstance(column, Column)
        }
        buffer, others = buffer_of(session), self._tracked.values()
        for mark in moved_with(connection, rows, state.identity, values, others):
            buffer.add(mark)

    def _rows(self, mapper: Mapper[Any]) -> Rows | None:
        """Return the rows of a class that owns tracked ones; None of any other."""
        if mapper not in self._owners:
            self._owners[mapper] = self._found(mapper)
        return self._owners[mapper]

    def _found(self, mapper: Mapper[Any]) -> Rows | None:
        tracked = self._tracked.values()
        is_tracked = any(mapper in family_of(known.mapper) for known in tracked)
        if is_tracked or not isinstance(root_of(mapper).local_table, Table):
            return None
        if not takes_along(mapper, tracked):
            return None
        return Rows(mapper, dict.fromkeys(family_of(mapper), ()))
