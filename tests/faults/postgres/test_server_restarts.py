"""The whole server goes away: it crashes and comes back, or another one takes its place."""

from collections.abc import Callable, Iterator

import pytest

from relay.demo.postgres import EmbeddedPostgres
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import get, metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import TEST_SETTINGS, Database, apply_schema
from tests.support.standby import Standby
from tests.support.tcp_proxy import TcpProxy

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


def test_failover_to_a_replica_that_is_read_only_at_first(
    server: EmbeddedPostgres,
    database: Database,
    relay: Start,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    with Standby(server, TEST_SETTINGS) as standby, TcpProxy(database.address) as proxy:
        fill(database)
        process = relay(DATABASE_URL=database.via(proxy.address).dsn, **SMALL_LEASES)
        eventually(lambda: left(database) < ROWS, what="it is under way")
        replica = Database(standby.dsn())
        await_replayed(database, replica)
        server.stop("immediate")
        proxy.target = replica.address
        warning = process.wait_for_log("recovery")
        assert "rows wait" in warning["message"]
        assert left(replica) > 0
        with replica.connect(autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        with recovery(AFTER_AN_OUTAGE_SECONDS):
            eventually(lambda: left(replica) == 0, timeout=60)
        assert metric(process, "parked_total") == 0
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)


def await_replayed(primary: Database, replica: Database) -> None:
    """Wait until all that was committed before this call is on the replica too."""
    with primary.connect() as connection:
        committed = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    with replica.connect(autocommit=True) as connection:
        eventually(
            lambda: connection.execute(
                "SELECT true WHERE pg_last_wal_replay_lsn() >= %s", committed
            ).fetchone()
        )
