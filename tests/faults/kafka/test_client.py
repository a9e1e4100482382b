"""The Kafka client itself is at its limits."""

import json
from collections.abc import Callable

import pytest

from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.broker import KafkaBroker
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

ROWS = 4_000
QUEUE_BYTES = 1 << 20
# The first chunk fits into the queue, the second one does not.
SMALL_QUEUE = {
    "RELAY_QUEUE_BYTES": str(QUEUE_BYTES),
    "RELAY_CHUNK_BYTES": str(QUEUE_BYTES * 6 // 10),
    "RELAY_DELIVERY_BUDGET_SECONDS": "15",
    "RELAY_LEASE_TIMEOUT_SECONDS": "20",
    "RELAY_STALL_SECONDS": "10",
}


def test_client_queue_full(
    outbox: Outbox,
    relay: Start,
    broker: KafkaBroker,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    process = relay(**SMALL_QUEUE)
    outbox.emit("before")
    outbox.await_empty()
    broker.pause()
    filler = json.dumps({"filler": "x" * 1000})
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) SELECT 'key-' || g %% 100, 'Filled', %s::json "
        "FROM generate_series(1, %s) AS g",
        (filler, ROWS),
    )
    eventually(lambda: metric(process, "in_flight") > 0, what="the first chunk is in the queue")
    broker.resume()
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    # A full queue is waited for: it is no failure of any row, nor of the producer.
    assert metric(process, "failed_total") == metric(process, "producer_rebuilds_total") == 0
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (ROWS + 1, 0, 0)


def test_a_message_that_no_empty_queue_has_room_for_is_named(
    outbox: Outbox, relay: Start, make_topic: Callable[..., str]
) -> None:
    other = make_topic()
    process = relay(KAFKA_PROPERTY_QUEUE_BUFFERING_MAX_KBYTES="20")
    outbox.emit("large", json.dumps({"filler": "x" * 30_000}), topic=other)
    for number in range(20):
        outbox.emit(f"small {number}", key=f"key-{number}")
    warning = process.wait_for_log(f"{other} [")
    assert "does not fit into the Kafka client's queue" in warning["message"]
    assert "RELAY_QUEUE_BYTES" in warning["message"]
    outbox.await_empty("name <> 'large'")
    assert outbox.count("parked_at IS NULL AND attempts = 0") == 1
