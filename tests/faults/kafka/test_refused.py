"""Kafka refuses every row for one topic: the others go on, and the topic's partitions wait."""

from collections.abc import Callable

import pytest

from tests.faults.stream import Stream
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

BAD, GOOD = 200, 5_000


def test_rows_without_a_key_for_a_compacted_topic(
    outbox: Outbox,
    relay: Start,
    make_topic: Callable[..., str],
    stream: Callable[[], Stream],
) -> None:
    compacted = make_topic(config={"cleanup.policy": "compact"})
    outbox.connection.execute(
        "INSERT INTO outbox (topic, name, payload) "
        "SELECT %s, 'Bad', '{}' FROM generate_series(1, %s)",
        (compacted, BAD),
    )
    outbox.fill(GOOD, keys=100)
    process = relay()
    outbox.await_empty("topic IS NULL")
    # Each of them alone would break a lease otherwise, and a batch of them has one per partition.
    assert metric(process, "leases_total", outcome="broken") <= 4
    assert "in a row were refused" in process.wait_for_log("is on hold")["message"]
    outbox.await_empty(timeout=60)
    assert metric(process, "parked_total", topic=compacted, reason="refused") == BAD
    assert metric(process, "leases_total", outcome="broken") <= 4
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (GOOD, 0, 0)
