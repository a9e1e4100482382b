"""Rows that the database changes by itself when another one is deleted.

Of ON DELETE CASCADE, SET NULL and SET DEFAULT a session sees nothing, so the rows are looked for
before the deletion: through foreign keys to the primary keys of tracked classes.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, ForeignKeyConstraint, Table, and_

from relay.service.sqlalchemy.rows import Identity, comparable
from relay.service.sqlalchemy.snapshots import Mark
from relay.service.sqlalchemy.tracked import Tracked


class _Link(NamedTuple):
    constraint: ForeignKeyConstraint
    referred: tuple[str, ...]

    @property
    def deletes(self) -> bool:
        return (self.constraint.ondelete or "").upper() == "CASCADE"

    def rows_of(self, owner: Tracked, identity: Identity) -> ColumnElement[bool]:
        values = dict(zip(owner.rows.identity_columns, identity, strict=True))
        pairs = zip(self.constraint.columns, self.referred, strict=True)
        return and_(*(column == values[name] for column, name in pairs))


def affected(
    connection: Connection, owner: Tracked, identity: Identity, tracked: Iterable[Tracked]
) -> Iterator[Mark]:
    """Yield a mark for each row of *tracked* that goes or changes with the row *identity*."""
    classes = tuple(tracked)
    seen: set[tuple[Tracked, Identity]] = set()
    waiting = [(owner, identity)]
    while waiting:
        gone, key = waiting.pop()
        for other in classes:
            for link in _links(other, gone):
                for state in other.rows.find(connection, link.rows_of(gone, key)):
                    found = other.rows.identity(state)
                    yield Mark(other, found, deleted=state if link.deletes else None)
                    if link.deletes and (place := (other, comparable(found))) not in seen:
                        seen.add(place)
                        waiting.append((other, found))


def _links(other: Tracked, owner: Tracked) -> Iterator[_Link]:
    names = {column: name for name, column in owner.rows.identity_columns.items()}
    for table in other.mapper.tables:
        for constraint in table.foreign_key_constraints if isinstance(table, Table) else ():
            referred = tuple(names.get(element.column) for element in constraint.elements)
            if (constraint.ondelete or "").upper() in {"CASCADE", "SET NULL", "SET DEFAULT"}:
                known = tuple(name for name in referred if name)
                if len(known) == len(referred):
                    yield _Link(constraint, known)
