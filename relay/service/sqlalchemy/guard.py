"""Refuses statements that would change a tracked table without a snapshot."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    FromClause,
    Insert,
    Table,
    TableClause,
    UpdateBase,
    event,
    text,
)
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.sql.compiler import SQLCompiler

from relay.errors import UntrackedWriteError
from relay.service.sqlalchemy.flushes import is_of_objects
from relay.service.sqlalchemy.followers import Followers, name_of
from relay.service.sqlalchemy.writes import Name, Write, writes

OPTION = "relay_untracked"
"""The execution option that lets a statement pass."""


_SAME: Final = text("SELECT to_regclass(:one) = to_regclass(:other)")

Watcher: TypeAlias = Callable[[Connection, ExecutionContext], bool]
"""Notes what a statement changes if a flush sends it for its objects; tells whether it does."""


class Guard:
    """Watches every engine of the process for writes to tracked tables.

    *watcher* sees each of them first.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._protected: set[Table] = set()
        self._tables: set[Name] = set()
        self._followers: Followers | None = None
        self._open: ContextVar[bool] = ContextVar("relay_untracked", default=False)

    def protect(self, tables: Iterable[Table]) -> None:
        """Refuse statements on *tables*, from now on, too."""
        if not self._tables:
            event.listen(Engine, "before_cursor_execute", self._check)
        self._protected.update(tables)
        self._tables = set(map(name_of, self._protected))
        self._followers = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let every statement of this thread or task pass."""
        token = self._open.set(True)
        try:
            yield
        finally:
            self._open.reset(token)

    def close(self) -> None:
        """Stop watching."""
        if self._tables:
            self._tables.clear()
            self._protected.clear()
            event.remove(Engine, "before_cursor_execute", self._check)

    def _check(
        self,
        connection: Connection,
        _cursor: object,
        statement: str,
        _parameters: object,
        context: ExecutionContext | None,
        _executemany: bool,  # noqa: FBT001 - the event's signature
    ) -> None:
        written = _written(statement, context)
        if not written:
            return
        tracked = _known(self._tables, [write.table for write in written], connection)
        if tracked is None:
            self._check_followers(connection, written, context)
            return
        if context is not None and self._watcher(connection, context):
            return
        if self._passes(context):
            return
        raise UntrackedWriteError(
            f"This statement changes the tracked table {tracked} without "
            "its objects, so no snapshot would be published: change the objects through the "
            "session; a relationship that writes it (secondary=) must be viewonly. Or let it pass "
            f"with execution_options={{'{OPTION}': True}} or `with outbox.untracked():`, and name "
            "the changed objects to outbox.snapshot()."
        )

    def _passes(self, context: ExecutionContext | None) -> bool:
        """Tell whether the service lets a statement pass."""
        asked = context is not None and context.execution_options.get(OPTION)
        return bool(asked or self._open.get())

    def _check_followers(
        self,
        connection: Connection,
        written: Iterable[Write],
        context: ExecutionContext | None,
    ) -> None:
        """Refuse what foreign keys hand on to tracked rows, unless a flush writes its objects."""
        writes = [write for write in written if write.deletes or write.truncates or write.sets]
        if not writes or self._passes(context) or (context and is_of_objects(context, connection)):
            return
        if self._followers is None:
            # Not before: the tables that are referred to may be defined last.
            self._followers = Followers(self._protected)
        for write in writes:
            owner = _known(self._followers.affected_by(write), [write.table], connection)
            if owner is not None:
                raise UntrackedWriteError(
                    f"This statement {_deed(write)} {owner}, and PostgreSQL changes rows of "
                    f"tracked tables with them ({_reason(write)}), so no snapshot of those would "
                    "be published: change the objects through the session. Or let it pass with "
                    f"execution_options={{'{OPTION}': True}} or `with outbox.untracked():`, and "
                    "name the changed objects to outbox.snapshot()."
                )


def _deed(write: Write) -> str:
    return "deletes rows of" if write.deletes or write.truncates else "changes the key of rows of"


def _reason(write: Write) -> str:
    if write.truncates:
        return "CASCADE"
    return "ON DELETE" if write.deletes else "ON UPDATE"


def _known(known: Collection[Name], written: Iterable[Name], connection: Connection) -> str | None:
    """Return the first of *written* that is *known*, wherever its schema is named."""
    default = connection.dialect.default_schema_name
    for name in written:
        if name in known or Name(name.schema or default, name.table) in known:
            return name.table
        unqualified = Name(None, name.table)
        if unqualified in known and (
            name.schema == default or _is_same(name, unqualified, connection)
        ):
            return name.table
    return None


def _is_same(name: Name, unqualified: Name, connection: Connection) -> bool:
    """Ask the database whether both names mean one table: only it knows the search_path."""
    names = {"one": _quoted(name), "other": _quoted(unqualified)}
    return bool(connection.execute(_SAME, names).scalar())


def _quoted(name: Name) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name if part is not None)


def _written(statement: str, context: ExecutionContext | None) -> Collection[Write]:
    """Return the writes of a statement."""
    compiled = context.compiled if context is not None else None
    if compiled is None or not isinstance(compiled.statement, UpdateBase):
        return writes(statement)
    found = [compiled.statement]
    if isinstance(compiled, SQLCompiler):
        for cte in compiled.ctes or ():
            if not isinstance(cte.element, UpdateBase):
                # A text may hide in it.
                return writes(statement)
            found.append(cte.element)
    return [
        Write(name, deletes=isinstance(element, Delete), sets=_sets(element, statement))
        for element in found
        if (name := _name(element.table)) is not None
    ]


def _sets(element: UpdateBase, statement: str) -> frozenset[str]:
    """Return the columns that get a value in a row that exists."""
    # Of many rows INSERT has many texts, so they are read only where they are updates too.
    if isinstance(element, Delete) or (
        isinstance(element, Insert) and element._post_values_clause is None  # noqa: SLF001
    ):
        return frozenset()
    return frozenset[str]().union(*(write.sets for write in writes(statement)))


def _name(table: object) -> Name | None:
    while isinstance(table, FromClause) and not isinstance(table, TableClause):
        # An alias, of an alias perhaps.
        table = getattr(table, "element", None)
    return Name(table.schema, str(table.name)) if isinstance(table, TableClause) else None
