"""The clock of the relay's host jumps: deadlines do not follow it, and no row is taken for bad."""

import time
from collections.abc import Callable

import pytest

from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import set_topic_config
from tests.support.metrics import get, metric
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

ROWS = 5_000


@pytest.mark.parametrize("jump", ["AHEAD", "BACK"])
def test_clock_jump_of_the_relays_host(
    outbox: Outbox, sabotaged: Start, stream: Callable[[], Stream], jump: str
) -> None:
    outbox.fill(ROWS, keys=64)
    relay = sabotaged(jump, "produce", 1_500, RELAY_LEASE_ROWS="2000")
    outbox.await_empty()
    assert outbox.count() == 0
    eventually(lambda: metric(relay, "leases_total", outcome="done") >= 3)
    assert metric(relay, "failed_total") == 0
    assert get(relay, "/livez")[0] == 200
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (ROWS, 0, 0)
    # Messages are dated by the database, whose clock has not jumped.
    now_ms = time.time() * 1000
    assert all(abs(now_ms - message.timestamp_ms) < 600_000 for message in found.messages)


def test_a_topic_that_refuses_the_time_of_every_message_parks_no_row(
    outbox: Outbox, relay: Start, make_topic: Callable[..., str], kafka: SessionKafka
) -> None:
    # As where the clocks of database and broker differ: whatever comes is taken to be too old.
    topic = make_topic(config={"message.timestamp.before.max.ms": "1"})
    outbox.fill(100, keys=10)
    process = relay(KAFKA_EVENT_STREAM_TOPIC=topic)
    warning = process.wait_for_log("on hold")
    assert "timestamp" in warning["message"]
    set_topic_config(kafka.bootstrap, topic, "message.timestamp.before.max.ms", str(2**62))
    outbox.await_empty()
    assert outbox.count() == 0
