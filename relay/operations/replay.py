"""Replay: stored events and current states, put back on the stream in batches."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import errors, sql
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from relay.database import schema
from relay.database.session import Connection
from relay.errors import SchemaError
from relay.operations.queries import replay as queries
from relay.operations.triggers import TRIGGER
from relay.service.composer import Composer
from relay.service.outbox import Outbox
from relay.service.psycopg.connection import write
from relay.service.records import Batch, OutboxRecord
from relay.service.replay import EVENT_COLUMNS, LOCK_TIMEOUT, event_again

BATCH_ROWS: Final = 200
_ATTEMPTS: Final = 20


def require_streaming(connection: Connection) -> None:
    """Make sure that relays publish what a replay writes.

    Raises:
        SchemaError: streaming is switched off, or there are no outbox tables.
    """
    if not schema.verify(connection).streaming:
        raise SchemaError(
            "Streaming is switched off, so nothing would publish a replay. Start a relay with "
            "ENABLE_EVENT_STREAMING=true first."
        )


@dataclass(frozen=True)
class Replay:
    """Extent of a replay. *seen* is called with name and size of each batch that is written.

    *subject*: kind and id of what events of the service's own domain belong to.
    """

    cluster: UUID | None
    since: datetime | None
    dry_run: bool
    seen: Callable[[str, int], None]
    subject: tuple[str, str] | None = None

    def events(self, connection: Connection, composer: Composer) -> None:
        """Replay stored events, in the order in which they were stored."""
        query = queries.EVENTS.format(columns=sql.SQL(", ".join(EVENT_COLUMNS)))
        kind, identity = self.subject or (None, None)
        wanted: dict[str, Any] = {
            "cluster": self.cluster,
            "subject_kind": kind,
            "subject_id": identity,
            "since": self.since,
            "rows": BATCH_ROWS,
        }
        after = 0
        while page := _fetched(connection, query, wanted | {"after": after}):
            after = page[-1][0]
            rows = [event_again(row[1:], composer) for row in page]
            self._write(connection, rows)

    def tables(self, connection: Connection) -> None:
        """Replay the current rows of the tables that `relay triggers` made triggers for."""
        found = _fetched(connection, queries.TRIGGERS.encode(), {"trigger": TRIGGER})
        for schema_of_table, table, functions_in, description in found:
            identifier = sql.Identifier(schema_of_table, table)
            _Table(identifier, functions_in, **json.loads(description)).replay(connection, self)

    def outbox(self, connection: Connection, outbox: Outbox) -> None:
        """Replay the current rows of the classes that *outbox* tracks."""
        with closing(outbox.state_pages(connection, self.cluster, BATCH_ROWS)) as pages:
            for page in pages:
                if page.states and not self.dry_run:
                    _giving_way(page.publish)()
                self.seen(page.name, page.states)

    def _write(self, connection: Connection, rows: Sequence[OutboxRecord]) -> None:
        if not self.dry_run:
            with connection.transaction():
                write(connection, Batch(rows))
        for name in dict.fromkeys(row.name for row in rows):
            self.seen(name, sum(row.name == name for row in rows))


def _fetched(
    connection: Connection, query: bytes | sql.Composed, parameters: dict[str, Any]
) -> list[Any]:
    with connection.transaction():
        return connection.execute(query, parameters).fetchall()


def _gave_way(error: BaseException) -> bool:
    return isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected)


_giving_way = retry(
    retry=retry_if_exception(_gave_way),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    reraise=True,
)


@dataclass(frozen=True)
class _Table:
    """Table with a trigger, as the trigger's comment describes it."""

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
        """Publish the next rows, locked FOR SHARE, and return their number."""
        places = {f"after_{index}": value for index, value in enumerate(self.after)}
        query = queries.rows(
            self.table,
            sql.Identifier(self.schema, self.row),
            self.key,
            self.id,
            list(places),
            dry_run=replay.dry_run,
        )
        with connection.transaction():
            connection.execute(queries.LOCK_TIMEOUT, {"timeout": LOCK_TIMEOUT})
            found = connection.execute(
                query, {"cluster": replay.cluster, "rows": BATCH_ROWS, **places}
            ).fetchall()
        if found:
            self.after[:] = found[-1][1:]
        return len(found)
