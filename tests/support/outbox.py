"""The outbox of one test, and what the tests of a relay on it are given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import TupleRow

from tests.support.eventually import eventually
from tests.support.kafka.topics import ConsumedMessage
from tests.support.process import ProcessUnderTest

Start = Callable[..., ProcessUnderTest]
Consume = Callable[..., list[ConsumedMessage]]


@dataclass
class Outbox:
    """The outbox of one test, seen with plain SQL."""

    connection: Connection[TupleRow]

    def emit(
        self,
        name: str,
        payload: str = '{"a": 1}',
        key: str | None = "k",
        topic: str | None = None,
    ) -> None:
        """Write one row in a transaction of its own."""
        self.connection.execute("SELECT outbox_emit(%s, %s, %s, %s)", (name, payload, key, topic))

    def fill(self, rows: int, keys: int, topic: str | None = None) -> None:
        """Write many rows at once, spread over *keys* keys."""
        self.connection.execute(
            "INSERT INTO outbox (topic, key, name, payload, metadata) "
            "SELECT %(topic)s, 'key-' || g %% %(keys)s, 'Filled', json_build_object('number', g), "
            "'{\"versions\": {}}' FROM generate_series(1, %(rows)s) AS g",
            {"topic": topic, "rows": rows, "keys": keys},
        )

    @contextmanager
    def as_version_1(self) -> Iterator[Connection[TupleRow]]:
        """Write in one transaction what is refused today: old rows came over as they were."""
        with self.connection.transaction():
            self.connection.execute("SET LOCAL session_replication_role = replica")
            yield self.connection

    def count(self, where: str = "true") -> int:
        """Return the number of rows."""
        row = self.connection.execute(f"SELECT count(*) FROM outbox WHERE {where}").fetchone()
        assert row is not None
        return int(row[0])

    def await_empty(self, where: str = "parked_at IS NULL", timeout: float = 30.0) -> None:
        """Wait until no such row is left."""
        eventually(lambda: self.count(where) == 0, timeout=timeout, what=f"no row with {where}")
