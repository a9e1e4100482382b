"""PgBouncer in transaction mode between relay and database: nothing rests on the session."""

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import AFTER_A_FREEZE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import Database

pytestmark = pytest.mark.kafka


@pytest.fixture
def pooled(database: Database) -> Iterator[Database]:
    with pgbouncer(database) as pooled:
        yield pooled


def test_pgbouncer_between_relay_and_database(
    pooled: Database, outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    outbox.fill(10_000, keys=100)
    relays = [
        relay(DATABASE_URL=pooled.dsn, RELAY_LEASE_ROWS="1000", RELAY_WORKERS="2") for _ in range(2)
    ]
    outbox.await_empty("true", timeout=60)
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (10_000, 0, 0)
    assert [process.terminate() for process in relays] == [0, 0]
    # What a lease has set did not stay behind in a connection that others will get.
    with pooled.connect() as connection:
        left = connection.execute(
            "SELECT name FROM pg_settings WHERE source = 'session' AND name IN ('jit', "
            "'enable_seqscan', 'statement_timeout', 'idle_in_transaction_session_timeout')"
        ).fetchall()
    assert left == []


def test_a_relay_behind_pgbouncer_freezes(
    pooled: Database,
    outbox: Outbox,
    successor: Start,
    sabotaged: Start,
    impatient: dict[str, str],
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    behind = impatient | {"DATABASE_URL": pooled.dsn}
    other = successor(**behind)
    outbox.fill(4_000, keys=64)
    frozen = sabotaged("SIGSTOP", "ack", **behind, RELAY_LEASE_SHARDS="64")
    frozen.wait_until_frozen()
    with recovery(AFTER_A_FREEZE_SECONDS):
        other.send_signal(signal.SIGCONT)
        outbox.await_empty("true")
    assert metric(other, "published_total") == 4_000
    found = stream()
    assert (found.rows, found.inversions) == (4_000, 0)
