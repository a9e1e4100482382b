"""SIGSTOP: a frozen relay loses its lease within the configured time, and does no harm thawed."""

import signal
import time
from collections.abc import Callable, Mapping

import pytest

from tests.faults.conftest import AFTER_A_FREEZE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

ROWS = 4_000
# Within the delivery budget, which is 10 s.
FREEZE_SECONDS = 6.0
ALL_SHARDS = {"RELAY_LEASE_SHARDS": "64"}

TakenOver = Callable[[ProcessUnderTest], ProcessUnderTest]


@pytest.fixture
def taken_over(
    outbox: Outbox, successor: Start, impatient: Mapping[str, str], recovery: Recovery
) -> TakenOver:
    """Wait until the relay has frozen, let another one take over, thaw it; return the other."""
    other = successor(**impatient)

    def take_over(frozen: ProcessUnderTest) -> ProcessUnderTest:
        frozen.wait_until_frozen()
        with recovery(AFTER_A_FREEZE_SECONDS):
            other.send_signal(signal.SIGCONT)
            outbox.await_empty("true")
        frozen.send_signal(signal.SIGCONT)
        frozen.wait_for_log("PostgreSQL at")
        return other

    return take_over


def assert_both_work(outbox: Outbox, *relays: ProcessUnderTest) -> None:
    """The thawed relay is as good as the other one: each of them alone does the work."""
    for working in relays:
        for idle in relays:
            idle.send_signal(signal.SIGCONT if idle is working else signal.SIGSTOP)
        before = metric(working, "published_total")
        outbox.fill(500, keys=50)
        outbox.await_empty("true")
        assert metric(working, "published_total") == before + 500


def test_frozen_for_longer_than_the_idle_in_transaction_timeout(
    outbox: Outbox,
    sabotaged: Start,
    impatient: Mapping[str, str],
    taken_over: TakenOver,
    stream: Callable[[], Stream],
) -> None:
    outbox.fill(ROWS, keys=64)
    # The first lease is a small one, and the second has all the rest.
    frozen = sabotaged("SIGSTOP", "ack", 2, **impatient, **ALL_SHARDS)
    frozen.wait_until_frozen()
    acknowledged = outbox.count()
    other = taken_over(frozen)
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)
    # Everything of the lease had been acknowledged, and nothing of it deleted.
    assert 0 < acknowledged < ROWS
    assert found.duplicates == acknowledged
    assert_both_work(outbox, frozen, other)


def test_frozen_inside_the_lease_with_messages_queued(
    outbox: Outbox,
    sabotaged: Start,
    impatient: Mapping[str, str],
    taken_over: TakenOver,
    stream: Callable[[], Stream],
) -> None:
    outbox.fill(ROWS, keys=64)
    # No message leaves by itself within the test: what the freeze finds in the queue stays there.
    frozen = sabotaged(
        "SIGSTOP", "produce", 1_500,
        **impatient, **ALL_SHARDS, KAFKA_PROPERTY_LINGER_MS="60000",
    )  # fmt: skip
    other = taken_over(frozen)
    assert metric(frozen, "leases_total", outcome="lost") == 1
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)
    # The thawed relay purges its queue before anything in it is sent.
    assert found.duplicates == 0
    assert_both_work(outbox, frozen, other)


def test_frozen_with_messages_queued_for_less_than_the_lease(
    outbox: Outbox, sabotaged: Start, stream: Callable[[], Stream]
) -> None:
    # Half of a key waits in the queue, which keeps it for a second; the other half is handed over
    # after the freeze. A message that gave up meanwhile would be overtaken by those behind it.
    rows = 20
    outbox.fill(rows, keys=1)
    frozen = sabotaged(
        "SIGSTOP", "produce", rows // 2,
        KAFKA_PROPERTY_LINGER_MS="1000", RELAY_STALL_SECONDS="9",
    )  # fmt: skip
    frozen.wait_until_frozen()
    time.sleep(FREEZE_SECONDS)
    frozen.send_signal(signal.SIGCONT)
    outbox.await_empty("true")
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (rows, 0, 0)
    assert metric(frozen, "failed_total") == metric(frozen, "leases_total", outcome="lost") == 0


def test_frozen_with_the_only_row_in_hand(
    outbox: Outbox,
    sabotaged: Start,
    impatient: Mapping[str, str],
    taken_over: TakenOver,
    stream: Callable[[], Stream],
) -> None:
    # Nothing more is asked of the database after this row's chunk until the row is settled.
    outbox.fill(1, keys=1)
    taken_over(sabotaged("SIGSTOP", "produce", **impatient))
    assert stream().rows == 1


@pytest.mark.parametrize("point", ["claim_sent", "read_sent", "delete_sent"])
def test_frozen_when_a_statement_has_just_left(
    outbox: Outbox,
    sabotaged: Start,
    impatient: Mapping[str, str],
    taken_over: TakenOver,
    stream: Callable[[], Stream],
    point: str,
) -> None:
    # No timeout of PostgreSQL's runs before the sync point that ends a statement has come.
    outbox.fill(ROWS, keys=64)
    taken_over(sabotaged("SIGSTOP", point, **impatient, **ALL_SHARDS))
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)


def test_frozen_while_a_batch_is_being_read(
    outbox: Outbox,
    sabotaged: Start,
    impatient: Mapping[str, str],
    taken_over: TakenOver,
    stream: Callable[[], Stream],
) -> None:
    # More than the sockets hold, so that PostgreSQL is stuck in writing to the frozen relay: it is
    # not idle then, and only tcp_user_timeout ends that.
    rows, size = 4_000, 8_000
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) "
        "SELECT 'k' || g, 'Large', json_build_object('filler', repeat('x', %s)) "
        "FROM generate_series(1, %s) AS g",
        (size, rows),
    )
    large = {
        "RELAY_CHUNK_ROWS": str(4 * rows),
        "RELAY_CHUNK_BYTES": str(60 << 20),
        "RELAY_QUEUE_BYTES": str(64 << 20),
    }
    # Twice in the first lease, which is small; its successor asks for 500 rows, and then for all.
    frozen = sabotaged("SIGSTOP", "read", 4, **impatient, **ALL_SHARDS, **large)
    eventually(
        lambda: outbox.connection.execute(
            "SELECT true FROM pg_stat_activity WHERE wait_event = 'ClientWrite' "
            "AND datname = current_database()"
        ).fetchone(),
        what="PostgreSQL cannot write any more",
    )
    taken_over(frozen)
    found = stream()
    assert (found.rows, found.inversions) == (rows, 0)
