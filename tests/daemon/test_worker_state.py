"""Whatever other threads read of a worker is a value that is replaced, and never changed."""

import sys
import threading
from collections.abc import Iterator
from itertools import cycle

import pytest

from relay.daemon.assembly import make_roster
from relay.daemon.crew import Crew
from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.holds import Holds
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.worker import Worker
from tests.support.eventually import eventually
from tests.support.settings import streaming

TOPICS = 200
LOOKS = 3_000


@pytest.fixture
def crew() -> Crew:
    """One worker, not started."""
    settings = streaming(bootstrap="nowhere", topic="topic")
    return Crew(settings, Metrics(), make_roster(settings, 5.0))


@pytest.fixture
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def change(worker: Worker, holds: Holds, end: threading.Event) -> None:
    """What a worker does whose topics fail and recover all the time."""
    for number in cycle(range(TOPICS)):
        topic = TopicPartition(f"topic-{number}")
        holds.add(topic)
        worker._show_state()  # noqa: SLF001
        if number % 3:
            holds.lift(topic)
            holds.delivered([topic])
        if end.is_set():
            return


@pytest.mark.usefixtures("switching_often")
def test_holds_are_read_while_the_worker_changes_them(crew: Crew) -> None:
    (worker,) = crew._workers  # noqa: SLF001
    end = threading.Event()
    at_work = threading.Thread(
        target=change,
        args=(worker, worker._publisher.holds, end),  # noqa: SLF001
    )
    at_work.start()
    try:
        eventually(crew.topics_on_hold)
        seen = {topic for _ in range(LOOKS) for topic in crew.topics_on_hold()}
    finally:
        end.set()
        at_work.join()
    assert len(seen) > 1


def test_the_state_holds_nothing_that_could_change(crew: Crew) -> None:
    (worker,) = crew._workers  # noqa: SLF001
    worker._publisher.holds.add(TopicPartition("topic", 1, 3))  # noqa: SLF001
    worker._show_state()  # noqa: SLF001
    before = worker.state
    # Mutable parts have no hash.
    assert hash(before)
    worker._publisher.holds.lift(TopicPartition("topic", 1, 3))  # noqa: SLF001
    worker._show_state()  # noqa: SLF001
    assert [hold.topic_partition for hold in before.holds] == [TopicPartition("topic", 1, 3)]
    assert worker.state.holds == ()
