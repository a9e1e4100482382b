"""One topic cannot be written: its rows wait, the others go on, and it is found when it works."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import admin_client, create_topic, delete_topic
from tests.support.metrics import metric
from tests.support.outbox import Consume, Outbox, Start
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

ROWS = 200
AHEAD = 100_000
LEASE_ROWS = 5_000


@pytest.fixture
def unknown(kafka: SessionKafka, topic: str) -> Iterator[str]:
    """The name of a topic that is not there; removed if the test made it."""
    yield (name := f"{topic}-unknown")
    delete_topic(kafka.bootstrap, name)


@pytest.fixture
def held(outbox: Outbox, others_go_on: Callable[[], None]) -> Callable[..., None]:
    """Assert what users see while a topic fails and another one does not."""

    def check(process: ProcessUnderTest, failing: str, why: str) -> None:
        warning = process.wait_for_log(lambda entry: entry.get("topic") == failing)
        assert warning["level"] == "WARNING"
        assert "on hold" in warning["message"]
        assert why in warning["message"]
        for name in ("failed_total", "holds"):
            eventually(lambda name=name: metric(process, name, topic=failing) > 0, what=name)  # type: ignore[misc]
        waiting = outbox.count()
        others_go_on()
        assert outbox.count("parked_at IS NULL AND attempts = 0") == waiting > 0

    return check


@contextmanager
def found_again(outbox: Outbox, process: ProcessUnderTest, recovery: Recovery) -> Iterator[None]:
    """After what is done within, the waiting rows are delivered soon."""
    yield
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    eventually(lambda: metric(process, "holds") == 0, what="no hold is left")


def test_unknown_topic(
    outbox: Outbox,
    relay: Start,
    kafka: SessionKafka,
    unknown: str,
    consume: Consume,
    held: Callable[..., None],
    recovery: Recovery,
) -> None:
    outbox.fill(ROWS, keys=20, topic=unknown)
    process = relay()
    held(process, unknown, "Unknown topic")
    with found_again(outbox, process, recovery):
        create_topic(kafka.bootstrap, unknown)
    found = Stream(consume(unknown, count=ROWS))
    assert (found.rows, found.duplicates, found.inversions) == (ROWS, 0, 0)


def test_topic_deleted_and_recreated(
    outbox: Outbox,
    relay: Start,
    kafka: SessionKafka,
    make_topic: Callable[..., str],
    consume: Consume,
    held: Callable[..., None],
    recovery: Recovery,
) -> None:
    other = make_topic()
    outbox.fill(ROWS, keys=20, topic=other)
    process = relay()
    outbox.await_empty()
    delete_topic(kafka.bootstrap, other)
    # Until the broker knows, it acknowledges what goes away with the topic.
    admin = admin_client(kafka.bootstrap)
    eventually(lambda: other not in admin.list_topics(timeout=10).topics, what="it is deleted")
    outbox.fill(ROWS, keys=20, topic=other)
    held(process, other, "")
    with found_again(outbox, process, recovery):
        create_topic(kafka.bootstrap, other)
    found = Stream(consume(other, count=ROWS))
    assert (found.rows, found.duplicates, found.inversions) == (ROWS, 0, 0)


def test_100_000_rows_for_a_missing_topic_ahead_of_a_good_one_are_looked_past(
    outbox: Outbox, relay: Start, unknown: str
) -> None:
    outbox.fill(AHEAD, keys=1_000, topic=unknown)
    process = relay(RELAY_LEASE_ROWS=str(LEASE_ROWS))
    process.wait_for_log("on hold")
    for number in range(50):
        outbox.emit(f"goes on {number}", key=f"key-{number}")
        outbox.await_empty("name LIKE 'goes on%'", timeout=5)
    # What was read before the hold began, and nothing of it again: each retry asks for the topic.
    assert 0 < metric(process, "failed_total", topic=unknown) <= LEASE_ROWS
    assert outbox.count("parked_at IS NULL AND attempts = 0") == AHEAD
