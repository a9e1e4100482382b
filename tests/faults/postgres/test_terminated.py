"""PostgreSQL ends the connection of a relay that lives: it goes on, and blames no row for it."""

from collections.abc import Callable, Mapping

import pytest

from tests.faults.conftest import AFTER_A_KILL_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

LEASE_ROWS = 1_000


def test_pg_terminate_backend_on_a_worker_in_mid_batch(
    outbox: Outbox, sabotaged: Start, stream: Callable[[], Stream], recovery: Recovery
) -> None:
    outbox.fill(4_000, keys=64)
    relay = sabotaged("TERMINATE", "delete", 1, RELAY_LEASE_ROWS=str(LEASE_ROWS))
    warning = relay.wait_for_log("PostgreSQL at")
    with recovery(AFTER_A_KILL_SECONDS):
        outbox.await_empty("true")
    assert warning["level"] == "WARNING"
    assert "rows wait" in warning["message"]
    # psycopg would add that the pipeline of the lost connection did not end well.
    assert {entry["logger"].partition(".")[0] for entry in relay.logs} == {"relay"}
    assert metric(relay, "leases_total", outcome="lost") == 1
    assert metric(relay, "parked_total") == 0
    found = stream()
    assert (found.rows, found.inversions) == (4_000, 0)
    # What Kafka had acknowledged was deleted when the relay was connected again, and not published
    # once more; what was under way may have arrived all the same.
    assert metric(relay, "published_total") == 4_000
    assert found.duplicates <= LEASE_ROWS


def test_pg_terminate_backend_with_messages_queued(
    outbox: Outbox, sabotaged: Start, stream: Callable[[], Stream]
) -> None:
    # No message leaves by itself within the test. The lease has ended, and what is still queued
    # then must not leave either: somebody else may be publishing it already.
    outbox.fill(4_000, keys=64)
    relay = sabotaged(
        "TERMINATE", "produce", 1_000,
        RELAY_LEASE_SHARDS="64", KAFKA_PROPERTY_LINGER_MS="60000",
    )  # fmt: skip
    outbox.await_empty("true")
    assert metric(relay, "leases_total", outcome="lost") == 1
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (4_000, 0, 0)


def test_pg_terminate_backend_again_and_again_parks_no_row(
    outbox: Outbox, sabotaged: Start, impatient: Mapping[str, str], stream: Callable[[], Stream]
) -> None:
    outbox.fill(10, keys=1)
    relay = sabotaged("TERMINATE_EACH", "claim", 8, **impatient)
    outbox.await_empty()
    assert outbox.count() == 0
    assert metric(relay, "leases_total", outcome="lost") == 8
    found = stream()
    assert (found.rows, found.inversions) == (10, 0)


def test_pg_terminate_backend_on_several_relays_parks_no_row(
    outbox: Outbox, sabotaged: Start, impatient: Mapping[str, str]
) -> None:
    outbox.fill(10, keys=1)
    unlucky = [sabotaged("TERMINATE_EACH", "claim", 4, **impatient) for _ in range(3)]
    outbox.await_empty()
    assert outbox.count() == 0
    lost = sum(metric(process, "leases_total", outcome="lost") for process in unlucky)
    assert lost >= 3
