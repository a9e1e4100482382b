"""The outbox of one measurement: filled, held back and let go with plain SQL."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from tests.support.eventually import eventually
from tests.support.postgres import Database

KEYS: Final = 1_000
EMPTY_SECONDS: Final = 300.0

_FILL: Final = """
INSERT INTO outbox (topic, key, name, payload, metadata)
SELECT %(topic)s,
       CASE WHEN %(keyed)s THEN 'cluster-' || g %% %(keys)s END,
       'Host',
       s.payload,
       '{"versions": {"service": "1.0"}}'
  FROM generate_series(1, %(rows)s) AS g
  JOIN samples AS s ON s.number = g %% %(samples)s
 ORDER BY g
"""


class Backlog:
    """Rows of about 1 KiB over `KEYS` keys, in a database of their own."""

    def __init__(self, database: Database, payloads: Sequence[str]) -> None:
        self.database = database
        self._connection = database.connect(autocommit=True)
        self._connection.execute("CREATE TABLE samples (number int PRIMARY KEY, payload json)")
        with self._connection.cursor().copy("COPY samples FROM STDIN") as copy:
            for number, payload in enumerate(payloads):
                copy.write_row((number, payload))
        self._connection.execute("ANALYZE samples")
        self._samples = len(payloads)

    @property
    def connection(self) -> Connection[TupleRow]:
        """A connection in autocommit mode."""
        return self._connection

    def fill(self, rows: int, topic: str | None = None, *, keyed: bool = True) -> range:
        """Write *rows* rows in one transaction, down to the disk; return their ids."""
        first = self._last_id() + 1
        self._connection.execute(_FILL, {
            "topic": topic,
            "keyed": keyed,
            "keys": KEYS,
            "rows": rows,
            "samples": self._samples,
        })  # fmt: skip
        # Or the disk writes them out during what is measured: the more, the more there are.
        os.sync()
        return range(first, self._last_id() + 1)

    def leave_dead(self, rows: int) -> None:
        """Let *rows* rows come, be committed, and be deleted."""
        with self.held_back():
            ids = self.fill(rows)
            self._connection.execute("DELETE FROM outbox WHERE id >= %s", (ids.start,))

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Let no relay work on what is written within the block."""
        self._connection.execute("UPDATE outbox_shard SET paused_at = now()")
        # Whoever holds a shard at this moment finishes its lease; an empty one takes milliseconds.
        time.sleep(0.2)
        yield
        self._connection.execute("UPDATE outbox_shard SET paused_at = NULL")

    def await_empty(self) -> None:
        """Wait until every row for the relay's own topic was deleted."""
        eventually(self._is_empty, timeout=EMPTY_SECONDS, what="the outbox is empty")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _last_id(self) -> int:
        row = self._connection.execute(
            "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _is_empty(self) -> bool:
        pending = "SELECT FROM outbox WHERE topic IS NULL LIMIT 1"
        return self._connection.execute(pending).fetchone() is None
