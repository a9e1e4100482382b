"""Stored events and current states, put back on the stream in batches."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Final
from uuid import UUID

from psycopg import errors, sql
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from relay.database.session import Connection
from relay.errors import ConfigurationError, SchemaError
from relay.operations.triggers import TRIGGER
from relay.service.composer import Composer
from relay.service.outbox import Outbox
from relay.service.psycopg.connection import write
from relay.service.records import Batch, OutboxRecord
from relay.service.replay import EVENT_COLUMNS, LOCK_TIMEOUT, event_again

BATCH_ROWS: Final = 200
_ATTEMPTS: Final = 20
_EVENTS: Final = sql.SQL(
    "SELECT id, {columns} FROM outbox_event WHERE id > %(after)s"
    " AND (%(cluster)s::uuid IS NULL OR cluster_id = %(cluster)s)"
    " AND (%(since)s::timestamptz IS NULL OR event_time >= %(since)s)"
    " ORDER BY id LIMIT %(rows)s"
)
_TRIGGERS: Final = """
SELECT n.nspname, c.relname, g.nspname, obj_description(t.oid, 'pg_trigger')
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
       JOIN pg_namespace AS n ON n.oid = c.relnamespace
       JOIN pg_proc AS f ON f.oid = t.tgfoid
       JOIN pg_namespace AS g ON g.oid = f.pronamespace
 WHERE t.tgname = %s AND t.tgparentid = 0
 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Replay:
    """What to replay. *seen* is told the name and the count of each batch, when it is written."""

    cluster: UUID | None
    since: datetime | None
    dry_run: bool
    seen: Callable[[str, int], None]

    def events(self, connection: Connection, composer: Composer) -> None:
        """Replay stored events, in the order in which they were stored."""
        query = _EVENTS.format(columns=sql.SQL(", ".join(EVENT_COLUMNS)))
        wanted: dict[str, Any] = {"cluster": self.cluster, "since": self.since, "rows": BATCH_ROWS}
        after = 0
        while page := connection.execute(query, {**wanted, "after": after}).fetchall():
            after = page[-1][0]
            rows = [event_again(row[1:], composer) for row in page]
            self._write(connection, rows)

    def tables(self, connection: Connection) -> None:
        """Replay the current rows of the tables that `relay triggers` made triggers for."""
        found = connection.execute(_TRIGGERS, (TRIGGER,)).fetchall()
        for schema, table, functions_in, description in found:
            _Table(sql.Identifier(schema, table), functions_in, **json.loads(description)).replay(
                connection, self
            )

    def outbox(self, outbox: Outbox, conninfo: str) -> None:
        """Replay the current rows of the classes that *outbox* tracks."""
        for page in outbox.state_pages(conninfo, self.cluster, BATCH_ROWS):
            if page.states and not self.dry_run:
                _giving_way(page.publish)()
            self.seen(page.name, page.states)

    def _write(self, connection: Connection, rows: Sequence[OutboxRecord]) -> None:
        if not self.dry_run:
            with connection.transaction():
                write(connection, Batch(rows))
        for name in dict.fromkeys(row.name for row in rows):
            self.seen(name, sum(row.name == name for row in rows))


def outbox_named(source: str) -> Outbox:
    """Return the outbox that *source* names, as "package.module:name"; importing it runs it.

    Raises:
        ConfigurationError: there is none, or it does not stream.
    """
    module, _, name = source.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: object = getattr(import_module(module), name or "outbox", None)
    except ModuleNotFoundError as error:
        raise ConfigurationError([f"--outbox {source}: {error.name} cannot be imported"]) from None
    if not isinstance(found, Outbox):
        raise ConfigurationError([f"--outbox {source}: no Outbox has that name; write module:name"])
    if not found.streaming:
        raise ConfigurationError(["ENABLE_EVENT_STREAMING is off, so the outbox streams nothing"])
    return found


def _gave_way(error: BaseException) -> bool:
    cause = getattr(error, "orig", error)
    return isinstance(cause, errors.LockNotAvailable | errors.DeadlockDetected)


_giving_way = retry(
    retry=retry_if_exception(_gave_way),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    reraise=True,
)


@dataclass(frozen=True)
class _Table:
    table: sql.Identifier
    schema: str
    row: str
    name: str
    key: Sequence[str]
    id: Sequence[str]
    after: list[Any] = field(default_factory=list)

    def replay(self, connection: Connection, replay: Replay) -> None:
        try:
            for count in iter(lambda: self._page(connection, replay), 0):
                replay.seen(self.name, count)
        except errors.UndefinedFunction:
            raise SchemaError(
                f"The trigger of {self.name} is of an older release: apply the output of `relay "
                "triggers` for its table again, then repeat this. Nothing of it was replayed."
            ) from None

    @_giving_way
    def _page(self, connection: Connection, replay: Replay) -> int:
        """Publish the next rows, locked FOR SHARE, and return how many they were."""
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
            found = connection.execute(
                self._query(replay), {"cluster": replay.cluster, "rows": BATCH_ROWS, **self._places}
            ).fetchall()
        if found:
            self.after[:] = found[-1][1:]
        return len(found)

    @property
    def _places(self) -> dict[str, Any]:
        return {f"after_{index}": value for index, value in enumerate(self.after)}

    def _query(self, replay: Replay) -> sql.Composed:
        columns = [sql.SQL("t.") + sql.Identifier(name) for name in self.id]
        values = [sql.Placeholder(name) for name in self._places]
        later = (
            sql.SQL("({}) > ({})").format(_list(columns), _list(values))
            if values
            else sql.SQL("true")
        )
        keys = [sql.SQL("t.{}::text").format(sql.Identifier(name)) for name in self.key]
        publish = sql.SQL("{}(state, replayed => true)").format(
            sql.Identifier(self.schema, self.row)
        )
        parts = [sql.SQL("(state).{}").format(sql.Identifier(name)) for name in self.id]
        return sql.SQL(
            "SELECT {publish}, {parts} FROM (SELECT t AS state FROM {table} AS t WHERE {later}"
            " AND (%(cluster)s::text IS NULL OR coalesce({keys}) = %(cluster)s::text)"
            " ORDER BY {columns} LIMIT %(rows)s {lock}) AS page"
        ).format(
            publish=sql.SQL("NULL") if replay.dry_run else publish,
            parts=_list(parts),
            table=self.table,
            later=later,
            keys=_list(keys),
            columns=_list(columns),
            lock=sql.SQL("" if replay.dry_run else "FOR SHARE"),
        )


def _list(parts: Sequence[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)
