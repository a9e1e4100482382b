"""UPDATE statements of a flush: the columns they set, and the keys of the rows they change."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Column, Table
from sqlalchemy import Update as UpdateStatement
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList

from relay.service.sqlalchemy.rows import Identity

# SQLAlchemy keeps what it compiled, so each is read once.
_known: Final[WeakKeyDictionary[SQLCompiler, "Update | None"]] = WeakKeyDictionary()


class ChangedRow(NamedTuple):
    """One row of an UPDATE: its primary key before, and the new values as far as they are known."""

    former: Identity
    values: Mapping[Column[Any], Any]


class Update(NamedTuple):
    """One UPDATE of *table*: the columns it sets, and its parameters for each row.

    *key* holds the parameters that tell the row, by column.
    """

    table: Table
    columns: frozenset[Column[Any]]
    key: Mapping[Column[Any], str]
    parameters: Sequence[Mapping[str, Any]] = ()

    def rows(self, key_places: Mapping[Column[Any], int]) -> Iterator[ChangedRow]:
        """Yield the rows that change; *key_places* tells the columns of the primary key."""
        names = {
            place: self.key[column]
            for column, place in key_places.items()
            if column.table is self.table
        }
        for values in self.parameters:
            yield ChangedRow(
                tuple(values[names[place]] for place in sorted(names)),
                {column: values[column.key] for column in self.columns if column.key in values},
            )


def update_of(context: ExecutionContext) -> Update | None:
    """Return the UPDATE that a flush is about to send; None where it is another statement."""
    compiled = context.compiled
    if not isinstance(context, DefaultExecutionContext) or not isinstance(compiled, SQLCompiler):
        return None
    parameters: Sequence[Mapping[str, Any]] = context.compiled_parameters
    if compiled not in _known:
        _known[compiled] = _update(compiled, parameters[0].keys())
    update = _known[compiled]
    return update and update._replace(parameters=parameters)


def _update(compiled: SQLCompiler, named: Collection[str]) -> Update | None:
    """Return the UPDATE that *compiled* is, with parameters of these names, less their values."""
    statement = compiled.statement
    if not isinstance(statement, UpdateStatement) or not isinstance(statement.table, Table):
        return None
    computed = set(compiled.postfetch or ())
    return Update(
        statement.table,
        frozenset(
            column
            for column in statement.table.columns
            if column.key in named or column in computed
        ),
        dict(_key(statement)),
    )


def _key(statement: UpdateStatement) -> Iterator[tuple[Column[Any], str]]:
    clause = statement.whereclause
    parts = clause.clauses if isinstance(clause, BooleanClauseList) else [clause]
    for part in parts:
        if isinstance(part, BinaryExpression) and isinstance(part.right, BindParameter):
            column, parameter = part.left, part.right
            if isinstance(column, Column):
                yield column, parameter.key
