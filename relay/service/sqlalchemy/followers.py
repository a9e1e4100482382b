"""Tracked rows that foreign keys change with rows of tables which are not tracked."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, ForeignKey, FromClause, Table

from relay.service.sqlalchemy.tracked import CHANGING
from relay.service.sqlalchemy.writes import Name, Write


def name_of(table: Table) -> Name:
    """Return the name of *table* as its metadata has it."""
    return Name(table.schema, table.name)


class Followers:
    """Foreign keys of *tables*, and what each kind of write on another table does through them."""

    def __init__(self, tables: Iterable[Table]) -> None:
        tables = set(tables)
        self._deleted = set(map(name_of, _owning_tables(tables)))
        self._truncated = set(map(name_of, _referred_tables(tables)))
        self._set: dict[Name, set[str]] = {}
        for column in _leading_columns(tables):
            if isinstance(column.table, Table):
                self._set.setdefault(name_of(column.table), set()).add(column.name)

    def affected_by(self, write: Write) -> set[Name]:
        """Return the names of which the table of *write* must be one to change tracked rows."""
        found = set[Name]()
        if write.deletes:
            found |= self._deleted
        if write.truncates:
            found |= self._truncated
        if write.sets:
            found |= {name for name, columns in self._set.items() if columns & write.sets}
        return found


def _owning_tables(tables: Iterable[Table]) -> set[Table]:
    """Return the tables of which a deleted row takes rows of *tables* along, or changes them."""
    known, found = set(tables), set[Table]()
    waiting = [(table, CHANGING) for table in known]
    while waiting:
        table, actions = waiting.pop()
        for constraint in table.foreign_key_constraints:
            if (constraint.ondelete or "").upper() not in actions:
                continue
            owner = constraint.referred_table
            if owner not in known | found:
                found.add(owner)
                waiting.append((owner, frozenset({"CASCADE"})))
    return found


def _referred_tables(tables: Iterable[Table]) -> set[Table]:
    """Return the tables that *tables* refer to, themselves included: TRUNCATE … CASCADE empties."""
    found, waiting = set[Table](), list(tables)
    while waiting:
        table = waiting.pop()
        if table not in found:
            found.add(table)
            waiting += [key.referred_table for key in table.foreign_key_constraints]
    return found


def _leading_columns(tables: Iterable[Table]) -> set[Column[Any]]:
    """Return the columns of other tables whose new values rows of *tables* take over."""
    known, found = set(tables), set[Column[Any]]()
    waiting = [element for table in known for element in _following(table)]
    while waiting:
        column = waiting.pop().column
        if column not in found:
            found.add(column)
            waiting += [each for each in _following(column.table) if each.parent is column]
    return {column for column in found if column.table not in known}


def _following(table: FromClause) -> list[ForeignKey]:
    """Return the parts of foreign keys by which rows of *table* change with those they refer to."""
    constraints = table.foreign_key_constraints if isinstance(table, Table) else ()
    return [
        element
        for constraint in constraints
        if (constraint.onupdate or "").upper() in CHANGING
        for element in constraint.elements
    ]
