"""The whole server goes away: it crashes, and comes back."""

from collections.abc import Callable, Iterator

import pytest

from relay.demo.postgres import EmbeddedPostgres
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import get, metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import TEST_SETTINGS, Database, apply_schema

pytestmark = pytest.mark.kafka

ROWS = 10_000
LEASE_ROWS = 1_000
SMALL_LEASES = {"RELAY_LEASE_ROWS": str(LEASE_ROWS), "RELAY_BACKOFF_MAX_SECONDS": "1"}


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server for one test alone."""
    with EmbeddedPostgres(TEST_SETTINGS) as server:
        yield server


@pytest.fixture
def database(server: EmbeddedPostgres) -> Database:
    database = Database(server.dsn())
    apply_schema(database)
    return database


def left(database: Database) -> int:
    with database.connect() as connection:
        return Outbox(connection).count()


def fill(database: Database) -> None:
    with database.connect() as connection:
        Outbox(connection).fill(ROWS, keys=100)


def test_immediate_restart(
    server: EmbeddedPostgres,
    database: Database,
    relay: Start,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    fill(database)
    process = relay(**SMALL_LEASES)
    eventually(lambda: left(database) < ROWS, what="it is under way")
    server.stop("immediate")
    process.wait_for_log("PostgreSQL at")
    assert get(process, "/livez")[0] == 200
    server.start()
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        eventually(lambda: left(database) == 0, timeout=60)
    assert metric(process, "parked_total") == 0
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)
    assert found.duplicates <= LEASE_ROWS
