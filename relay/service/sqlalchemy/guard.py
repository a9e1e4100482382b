"""Refuses statements that would change a tracked table without a snapshot."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TypeAlias

from sqlalchemy import Connection, Engine, Table, TextClause, UpdateBase, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.sql.compiler import SQLCompiler

from relay.errors import UntrackedWriteError

OPTION = "relay_untracked"
"""The execution option that lets a statement pass."""


Watcher: TypeAlias = Callable[[Connection, ExecutionContext], bool]
"""Notes what a statement changes if a flush sends it for its objects; tells whether it does."""


class Guard:
    """Watches every engine of the process for writes to tracked tables.

    *watcher* sees each of them first.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._tables: set[Table] = set()
        self._named_in: Callable[[str], str | None] = _named_nowhere
        self._open: ContextVar[bool] = ContextVar("relay_untracked", default=False)

    def protect(self, tables: Iterable[Table]) -> None:
        """Refuse statements on *tables*, from now on, too."""
        if not self._tables:
            event.listen(Engine, "before_cursor_execute", self._check)
        self._tables.update(tables)
        names = "|".join(sorted(re.escape(table.name) for table in self._tables))
        pattern = re.compile(
            r"(?i)\b(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?|merge\s+into"
            r"|truncate(?:\s+table)?(?:\s+only)?|copy)\s+(?:\"?\w+\"?\.)?"
            rf"(?:\"(?P<quoted>{names})\"|(?P<plain>{names})(?![\w.\"]))"
        )

        # Programs have few texts and run each of them often.
        @lru_cache(maxsize=1024)
        def named_in(statement: str) -> str | None:
            found = pattern.search(statement)
            return found["quoted"] or found["plain"] if found else None

        self._named_in = named_in

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
        table = self._written_table(statement, context)
        if table is None or (context is not None and self._watcher(connection, context)):
            return
        if self._open.get() or (context is not None and context.execution_options.get(OPTION)):
            return
        raise UntrackedWriteError(
            f"This statement changes the tracked table {table} without its objects, so no "
            "snapshot would be published: change the objects through the session. Or let it pass "
            f"with execution_options={{'{OPTION}': True}} or `with outbox.untracked():`, and name "
            "the changed objects to outbox.snapshot()."
        )

    def _written_table(self, statement: str, context: ExecutionContext | None) -> str | None:
        compiled = context.compiled if context is not None else None
        if compiled is None or isinstance(compiled.statement, TextClause):
            return self._named_in(statement)
        written = [compiled.statement]
        if isinstance(compiled, SQLCompiler):
            written += [cte.element for cte in compiled.ctes or ()]
        for element in written:
            if isinstance(element, UpdateBase) and element.table in self._tables:
                return str(element.table.name)
        return None


def _named_nowhere(_statement: str) -> None:
    """Stand in until a table is to be protected."""
