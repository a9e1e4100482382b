"""A relay process on a database and a topic of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import ConsumedMessage
from tests.support.postgres import Database
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

    def fill(self, rows: int, keys: int) -> None:
        """Write many rows at once, spread over *keys* keys."""
        self.connection.execute(
            "INSERT INTO outbox (key, name, payload, metadata) "
            "SELECT 'key-' || g %% %(keys)s, 'Filled', json_build_object('number', g), "
            "'{\"versions\": {}}' FROM generate_series(1, %(rows)s) AS g",
            {"rows": rows, "keys": keys},
        )

    def count(self, where: str = "true") -> int:
        """Return the number of rows."""
        row = self.connection.execute(f"SELECT count(*) FROM outbox WHERE {where}").fetchone()
        assert row is not None
        return int(row[0])

    def await_empty(self, where: str = "parked_at IS NULL", timeout: float = 30.0) -> None:
        """Wait until no such row is left."""
        eventually(lambda: self.count(where) == 0, timeout=timeout, what=f"no row with {where}")


@pytest.fixture
def outbox(database: Database) -> Iterator[Outbox]:
    with database.connect(autocommit=True) as connection:
        yield Outbox(connection)


@pytest.fixture
def database_connection(database: Database) -> Iterator[Outbox]:
    """A second connection, for another transaction at the same time."""
    with database.connect(autocommit=True) as connection:
        yield Outbox(connection)


@pytest.fixture
def environment(database: Database, kafka: SessionKafka, topic: str) -> dict[str, str]:
    """What a relay needs to run on this test's database and topic."""
    return {
        "ENABLE_EVENT_STREAMING": "true",
        "DATABASE_URL": database.dsn,
        "KAFKA_BOOTSTRAP_SERVER": kafka.bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": topic,
        "RELAY_METRICS_HOST": "127.0.0.1",
        "RELAY_METRICS_PORT": "0",
        "RELAY_LOG_FORMAT": "json",
    }


@pytest.fixture
def relay(run_relay: Start, environment: dict[str, str]) -> Start:
    """Start `relay run`; keyword arguments change its environment."""

    def start(**changes: str) -> ProcessUnderTest:
        return run_relay("run", environment=environment | changes)

    return start


@pytest.fixture
def read(consume: Consume, topic: str) -> Consume:
    """Read this test's topic from its beginning."""
    return partial(consume, topic)
