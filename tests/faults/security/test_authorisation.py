"""The relay is known, and not allowed: to write one topic, or any."""

from collections.abc import Callable

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.security.guard import NEEDED, Guard
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.incidents import codes, see, the
from tests.support.metrics import metric
from tests.support.outbox import Consume, Outbox, Start
from tests.support.postgres import Database
from tests.support.process import LogEntry

pytestmark = pytest.mark.kafka

ROWS = 50


def test_authorisation_revoked(  # noqa: PLR0913, PLR0917 - fixtures
    outbox: Outbox,
    relay: Start,
    guard: Guard,
    topic: str,
    make_topic: Callable[..., str],
    consume: Consume,
    recovery: Recovery,
    database: Database,
) -> None:
    guard.allow(revoked := make_topic(), *NEEDED)
    outbox.emit("before", topic=revoked)
    process = relay()
    outbox.await_empty()
    guard.allow(revoked, AclOperation.DESCRIBE)
    for number in range(ROWS):
        outbox.emit(f"waits {number}", topic=revoked)
    warning = process.wait_for_log("on hold")
    assert (warning["level"], warning["topic"]) == ("WARNING", revoked)
    assert "authorization failed" in warning["message"].lower()
    eventually(lambda: metric(process, "failed_total", topic=revoked, reason="held") > 0)
    eventually(lambda: "topic-on-hold" in codes(see(database)), timeout=20)
    assert "--operation Write" in (the(see(database), "topic-on-hold").command or "")
    outbox.emit("goes on", topic=topic)
    outbox.await_empty("name = 'goes on'", timeout=5)
    assert outbox.count("parked_at IS NULL AND attempts = 0") == ROWS
    guard.allow(revoked, *NEEDED)
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    found = Stream(consume(revoked))
    assert (found.rows, found.duplicates, found.inversions) == (ROWS + 1, 0, 0)


def nth_attempt(number: int) -> Callable[[LogEntry], bool]:
    return lambda entry: entry["level"] == "WARNING" and entry.get("attempt") == number


def test_fatal_producer_error(
    outbox: Outbox,
    relay: Start,
    guard: Guard,
    topic: str,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    # With nothing to write to, a producer gets no id: librdkafka takes that to be fatal.
    guard.allow(topic, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)
    outbox.fill(ROWS, keys=5)
    process = relay()
    warnings = [process.wait_for_log(nth_attempt(number)) for number in (1, 3)]
    assert all("authorization failed" in warning["message"] for warning in warnings)
    assert metric(process, "broker_up") == 0
    assert outbox.count("parked_at IS NULL AND attempts = 0") == ROWS
    guard.allow(topic, *NEEDED)
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    # One producer an attempt, with a pause between: not as many as the machine can make.
    attempts = sum("cannot be used" in entry["message"] for entry in process.logs)
    assert 0 < metric(process, "producer_rebuilds_total", reason="failure") <= attempts
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (ROWS, 0, 0)
