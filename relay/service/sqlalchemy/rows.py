"""Rows of a tracked class, read with plain columns.

An object in memory may hold columns that another transaction has changed since it was loaded.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, bindparam, select, tuple_
from sqlalchemy.orm import Mapper

from relay.service.sqlalchemy.columns import columns_of, identity_of
from relay.service.writer import State

Identity: TypeAlias = tuple[Any, ...]

READ_ROWS: Final = 1000
"""Rows of one read: far below the limit of 65,535 parameters."""


class Rows:
    """The rows of a mapped class, reduced to the attributes that are *needed*."""

    def __init__(self, mapper: Mapper[Any], needed: Collection[str]) -> None:
        columns = columns_of(mapper)
        self.attributes = tuple(columns)
        self.identity_columns: Mapping[str, Column[Any]] = {
            name: columns[name] for name in identity_of(mapper)
        }
        chosen = [
            column.label(name)
            for name, column in columns.items()
            if name in needed or name in self.identity_columns
        ]
        self._all = select(*chosen).select_from(mapper.persist_selectable)
        self._some = self._all.where(self._primary_key().in_(bindparam("ids", expanding=True)))

    def read(
        self, connection: Connection, identities: Sequence[Identity], *, share: bool = False
    ) -> dict[Identity, State]:
        """Return the rows of *identities* as they are now, by identity; missing ones are left out.

        *share*: lock them FOR SHARE, so that they stay as they are.
        """
        query = self._some.with_for_update(read=True) if share else self._some
        found: dict[Identity, State] = {}
        for start in range(0, len(identities), READ_ROWS):
            part = identities[start : start + READ_ROWS]
            ids = part if len(self.identity_columns) > 1 else [identity[0] for identity in part]
            for state in map(dict, connection.execute(query, {"ids": ids}).mappings()):
                found[comparable(self.identity(state))] = state
        return found

    def find(self, connection: Connection, condition: ColumnElement[bool]) -> list[State]:
        """Return the rows for which *condition* holds, as they are now."""
        return [dict(row) for row in connection.execute(self._all.where(condition)).mappings()]

    def pages(self, connection: Connection, rows: int) -> Iterator[Sequence[State]]:
        """Yield all rows in the order of their primary keys, *rows* at a time."""
        columns = tuple(self.identity_columns.values())
        query = self._all.order_by(*columns).limit(rows)
        page = query
        while states := [dict(row) for row in connection.execute(page).mappings()]:
            yield states
            if len(states) < rows:
                return
            page = query.where(tuple_(*columns) > tuple_(*self.identity(states[-1])))

    def identity(self, state: State) -> Identity:
        """Return the primary key of a row."""
        return tuple(state[name] for name in self.identity_columns)

    def _primary_key(self) -> ColumnElement[Any]:
        columns = tuple(self.identity_columns.values())
        return columns[0] if len(columns) == 1 else tuple_(*columns)


def comparable(identity: Iterable[object]) -> Identity:
    """Return *identity* in texts: an attribute may hold a UUID where its column returns a text."""
    return tuple(str(part) for part in identity)
