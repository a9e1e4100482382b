"""Rows that the database changes by itself when another one is deleted, or gets another key.

Of ON DELETE and ON UPDATE a session sees nothing, so the rows are looked for, and locked, before
the statement: through foreign keys between tracked classes, and tables that lie between them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    FromClause,
    Table,
    and_,
)
from sqlalchemy.orm import Mapper

from relay.errors import UntrackedWriteError
from relay.service.sqlalchemy.rows import Identity, Rows
from relay.service.sqlalchemy.snapshots import Change, Mark
from relay.service.sqlalchemy.tracked import CHANGING, Tracked
from relay.service.writer import State


class _Path(NamedTuple):
    """Foreign keys from a table of *other* to one of the owner, the owner's first."""

    other: Tracked
    constraints: tuple[ForeignKeyConstraint, ...]

    @property
    def last(self) -> ForeignKeyConstraint:
        return self.constraints[-1]

    def states(self, connection: Connection, owner: Rows, identity: Identity) -> list[State]:
        """Return the rows at the end of the path that leads to the row *identity*, locked."""
        joined: FromClause = self.other.rows.source
        referring: FromClause = self.last.table
        for constraint in reversed(self.constraints):
            referred = constraint.elements[0].column.table.alias()
            joined = joined.join(referred, _refers(constraint, referring, referred))
            referring = referred
        table = self.constraints[0].elements[0].column.table
        condition = and_(
            *(
                referring.c[column.key] == identity[place]
                for column, place in owner.key_places.items()
                if column.table is table
            )
        )
        return self.other.rows.find(connection, joined, condition)


def _refers(
    constraint: ForeignKeyConstraint, referring: FromClause, referred: FromClause
) -> ColumnElement[bool]:
    return and_(
        *(
            referring.c[element.parent.key] == referred.c[element.column.key]
            for element in constraint.elements
        )
    )


def deleted_with(
    connection: Connection, owner: Rows, identity: Identity, tracked: Collection[Tracked]
) -> Iterator[Mark]:
    """Yield a mark for each row of *tracked* that goes or changes with the row *identity*."""
    seen: set[tuple[Rows, Identity]] = set()
    waiting = [(owner, identity)]
    while waiting:
        gone, key = waiting.pop()
        for path in _paths(gone.mapper, tracked):
            for state in path.states(connection, gone, key):
                found = path.other.rows.identity(state)
                if not _deletes(path.last):
                    yield Mark(path.other, found, connection, Change.UPDATED)
                elif (place := (path.other.rows, found)) not in seen:
                    seen.add(place)
                    waiting.append(place)
                    yield Mark(path.other, found, connection, Change.DELETED, state)


def moved_with(
    connection: Connection,
    owner: Rows,
    identity: Identity,
    values: Mapping[Column[Any], Any],
    tracked: Collection[Tracked],
) -> Iterator[Mark]:
    """Yield a mark for each row that refers to one whose columns get these *values*.

    Raises:
        UntrackedWriteError: the new key of such a row is not known.
    """
    for other in tracked:
        for constraint in other.following:
            changed = {element.column for element in constraint.elements} & values.keys()
            if not changed:
                continue
            carried = {
                element.parent: values[element.column]
                for element in constraint.elements
                if element.column in changed
            }
            for state in _Path(other, (constraint,)).states(connection, owner, identity):
                yield from _moved(connection, other, state, carried, constraint, tracked)


def _moved(
    connection: Connection,
    other: Tracked,
    state: State,
    carried: Mapping[Column[Any], Any],
    constraint: ForeignKeyConstraint,
    tracked: Collection[Tracked],
) -> Iterator[Mark]:
    former = other.rows.identity(state)
    identity = other.rows.moved(former, carried)
    if identity != former:
        if (constraint.onupdate or "").upper() != "CASCADE":
            raise UntrackedWriteError(
                f"ON UPDATE {constraint.onupdate} changes the primary key of {other.form.name}, so "
                "that no snapshot could name it: delete the object and make a new one."
            )
        yield Mark(other, former, connection, Change.DELETED, state)
    change = Change.UPDATED if identity == former else Change.INSERTED
    yield Mark(other, identity, connection, change)
    yield from moved_with(connection, other.rows, former, carried, tracked)


def takes_along(owner: Mapper[Any], tracked: Collection[Tracked]) -> bool:
    """Tell whether rows of *tracked* go or change with one of *owner*."""
    return any(_paths(owner, tracked)) or any(
        element.column.table in owner.tables
        for other in tracked
        for constraint in other.following
        for element in constraint.elements
    )


def _paths(owner: Mapper[Any], tracked: Collection[Tracked]) -> Iterator[_Path]:
    # Classes of one base may have one table.
    ends = defaultdict[FromClause, list[Tracked]](list)
    for other in tracked:
        for table in other.mapper.tables:
            ends[table].append(other)
    known = {table for table in ends if isinstance(table, Table)}
    between = {
        table for end in known for table in end.metadata.tables.values() if table not in known
    }
    changing = [
        constraint
        for table in known | between
        for constraint in table.foreign_key_constraints
        if (constraint.ondelete or "").upper() in CHANGING
    ]
    waiting: list[tuple[ForeignKeyConstraint, ...]] = [
        (constraint,)
        for constraint in changing
        if constraint.elements[0].column.table in owner.tables
    ]
    while waiting:
        path = waiting.pop()
        table = path[-1].table
        if table in ends:
            yield from (_Path(other, path) for other in ends[table])
        elif _deletes(path[-1]):
            waiting += [
                (*path, constraint)
                for constraint in changing
                if constraint.elements[0].column.table is table and constraint not in path
            ]


def _deletes(constraint: ForeignKeyConstraint) -> bool:
    return (constraint.ondelete or "").upper() == "CASCADE"
