"""A replica takes the place of its primary behind PgBouncer: clients see the same server."""

from collections.abc import Callable, Iterator

import pytest

from relay.demo.postgres import EmbeddedPostgres
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import TEST_SETTINGS, Database, apply_schema
from tests.support.process import LogEntry
from tests.support.replicated_postgres import ReplicatedPostgres

pytestmark = pytest.mark.kafka

ROWS, LATER_ROWS = 10_000, 1_000
KEYS = 100
LEASE_ROWS = 1_000


@pytest.fixture
def pair() -> Iterator[ReplicatedPostgres]:
    with ReplicatedPostgres(TEST_SETTINGS) as pair:
        apply_schema(pair.database)
        yield pair


@pytest.fixture
def pooler(pair: ReplicatedPostgres) -> Iterator[PgBouncer]:
    with PgBouncer(pair.database) as pooler:
        yield pooler


@pytest.fixture
def database(pooler: PgBouncer) -> Database:
    """The database of relays and writers: that of the pooler."""
    return pooler.database


def left(database: Database) -> int:
    with database.connect() as connection:
        return Outbox(connection).count()


def fill(database: Database, rows: int = ROWS) -> None:
    with database.connect() as connection:
        Outbox(connection).fill(rows, KEYS)


def _refused_by_a_standby(entry: LogEntry) -> bool:
    """Return whether a worker says so, and not the sampler.

    PostgreSQL has two words for it, by what comes first: a lock, or a deletion.
    """
    said = str(entry["message"])
    refused = "during recovery" in said or "in a read-only transaction" in said
    return refused and "rows wait" in said


def address(server: EmbeddedPostgres) -> tuple[str, int]:
    return server.host, server.port


def test_a_replica_is_read_only_at_first_and_then_promoted(
    pair: ReplicatedPostgres,
    pooler: PgBouncer,
    relay: Start,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    fill(pooler.database)
    process = relay(RELAY_LEASE_ROWS=str(LEASE_ROWS), RELAY_BACKOFF_MAX_SECONDS="1")
    eventually(lambda: left(pair.database) < ROWS, what="it is under way")
    pair.kill_primary()
    pooler.target = address(pair.standby)
    process.wait_for_log(_refused_by_a_standby)
    assert left(pooler.database) > 0
    pair.promote()
    fill(pooler.database, LATER_ROWS)
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        eventually(lambda: left(pair.database) == 0, timeout=60)
    assert metric(process, "parked_total") == 0
    found = stream()
    assert (found.rows, found.inversions) == (ROWS + LATER_ROWS, 0)
    assert found.duplicates <= LEASE_ROWS


def test_rows_come_back_on_a_replica_that_missed_their_deletion(
    pair: ReplicatedPostgres,
    pooler: PgBouncer,
    relay: Start,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    fill(pooler.database)
    pair.cut_off_standby()
    process = relay()
    eventually(lambda: left(pair.database) == 0, what="all are delivered")
    assert metric(process, "published_total") == ROWS
    with pooler.paused():
        pair.kill_primary()
        pair.promote()
        pooler.target = address(pair.primary)
    assert left(pair.database) == ROWS
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        eventually(lambda: left(pair.database) == 0, timeout=60)
    # It never had to connect anew, which would have told it.
    assert not [entry for entry in process.logs if entry["level"] == "WARNING"]
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (ROWS, ROWS, 0)
