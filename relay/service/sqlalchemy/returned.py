"""Rows as the UPDATE of a flush returns them, so that the commit need not read them again.

The UPDATE locks its row against others. What its own transaction may still do to it, by a trigger,
a function or a raw cursor, gives the row another place (ctid): the INSERT into the outbox asks for
that, and where it finds another one, the row is read after all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import ClauseElement, Connection, CursorResult, Engine, Table, Update, event, text
from sqlalchemy.engine import Dialect, ExceptionContext, ExecutionContext

from relay.service.sqlalchemy.rows import PLACE, Returned, Rows

# A view has no places, a rule may refuse RETURNING, other kinds of tables may write in place, and
# a grant on columns has none for the place.
_HAS_PLACES: Final = text(
    "SELECT relkind = 'r' AND amname = 'heap' AND NOT (relhasrules OR relhassubclass"
    " OR relrowsecurity) AND has_table_privilege(c.oid, 'SELECT')"
    " FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = to_regclass(:name)"
)

RowsOf = Callable[[Table, object], Rows | None]
"""Return the rows of the only tracked class of a table, if the flush with this cache writes it."""


class Returning:
    """Has the UPDATEs of flushes return what they wrote."""

    def __init__(self, rows_of: RowsOf) -> None:
        self._rows_of = rows_of
        self._statements: WeakKeyDictionary[Update, Update] = WeakKeyDictionary()
        self._waiting: WeakKeyDictionary[ExecutionContext, tuple[Rows, Returned]] = (
            WeakKeyDictionary()
        )
        self._places: WeakKeyDictionary[Dialect, dict[Table, bool]] = WeakKeyDictionary()
        event.listen(Engine, "before_execute", self._ask, retval=True)
        event.listen(Engine, "after_execute", self._take)
        event.listen(Engine, "handle_error", self._failed)

    def close(self) -> None:
        """Stop listening."""
        event.remove(Engine, "before_execute", self._ask)
        event.remove(Engine, "after_execute", self._take)
        event.remove(Engine, "handle_error", self._failed)

    def expected(self, rows: Rows, context: ExecutionContext) -> Returned | None:
        """Return what will hold the row of this UPDATE; None where it returns none."""
        if _returning_table(context) is None:
            return None
        returned = Returned()
        self._waiting[context] = rows, returned
        return returned

    def _ask(
        self,
        connection: Connection,
        statement: ClauseElement,
        many: Sequence[Mapping[str, Any]],
        one: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> tuple[ClauseElement, Sequence[Mapping[str, Any]], Mapping[str, Any]]:
        cache = options.get("compiled_cache")
        if cache is not None and not many and isinstance(statement, Update):
            return self._returning(connection, statement, options), many, one
        return statement, many, one

    def _returning(
        self, connection: Connection, statement: Update, options: Mapping[str, Any]
    ) -> Update:
        """Return *statement* with RETURNING, where it can have that."""
        table = statement.table
        if not isinstance(table, Table) or statement._return_defaults:  # noqa: SLF001
            return statement
        rows = self._rows_of(table, options["compiled_cache"])
        if rows is None or options.get("schema_translate_map"):
            return statement
        if not self._has_places(connection, table):
            return statement
        if statement not in self._statements:
            self._statements[statement] = statement.returning(*rows.returned)
        return self._statements[statement]

    def _has_places(self, connection: Connection, table: Table) -> bool:
        dialect = connection.dialect
        if dialect.name != "postgresql":
            return False
        known = self._places.setdefault(dialect, {})
        if table not in known:
            name = dialect.identifier_preparer.format_table(table)
            known[table] = bool(connection.execute(_HAS_PLACES, {"name": name}).scalar())
        return known[table]

    def _take(
        self,
        _connection: Connection,
        _statement: ClauseElement,
        _many: object,
        _one: object,
        _options: object,
        result: CursorResult[Any],
    ) -> None:
        if self._waiting and (waiting := self._waiting.pop(result.context, None)) is not None:
            rows, returned = waiting
            if (row := result.first()) is not None:
                rows.take(row, returned)

    def _failed(self, context: ExceptionContext) -> None:
        """Do without from now on, in case that it was RETURNING which PostgreSQL refused."""
        table = _returning_table(context.execution_context)
        if table is not None and context.connection is not None:
            self._places.setdefault(context.connection.dialect, {})[table] = False


def _returning_table(context: ExecutionContext | None) -> Table | None:
    """Return the table of which a statement returns the row that it changed."""
    compiled = context.compiled if context is not None else None
    statement = compiled.statement if compiled is not None else None
    if not isinstance(statement, Update) or not isinstance(statement.table, Table):
        return None
    # Its exported_columns may be those of the statement that it was made of.
    asked = statement._returning  # noqa: SLF001
    return statement.table if asked and getattr(asked[-1], "key", None) == PLACE else None
