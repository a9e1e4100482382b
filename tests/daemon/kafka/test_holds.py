import pytest

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.holds import FIRST_HOLD_SECONDS, Holds
from tests.support.clock import Clock

TOPIC = TopicPartition("events")
PARTITION = TopicPartition("events", 3, 8)
JITTER = 0.2


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def holds(clock: Clock) -> Holds:
    return Holds(30.0, clock)


def test_a_topic_on_hold_covers_its_partitions(holds: Holds) -> None:
    holds.add(TOPIC)
    assert holds.covers(PARTITION)
    assert not holds.covers(TopicPartition("other", 3, 8))


def test_a_partition_on_hold_covers_nothing_else(holds: Holds) -> None:
    holds.add(PARTITION)
    assert holds.covers(PARTITION)
    assert not holds.covers(TopicPartition("events", 4, 8))
    assert not holds.covers(TOPIC)


def test_the_queries_are_told_what_to_look_past(holds: Holds) -> None:
    holds.add(TopicPartition("b"))
    holds.add(TopicPartition("a"))
    holds.add(PARTITION)
    exclusions = holds.exclusions()
    assert exclusions.topics == ("a", "b")
    assert exclusions.partitions == (PARTITION,)


def test_the_pause_doubles_while_trying_again_does_not_help(holds: Holds) -> None:
    first, second = holds.add(TOPIC), holds.add(TOPIC)
    assert first == pytest.approx(FIRST_HOLD_SECONDS, rel=JITTER)
    assert second == pytest.approx(2 * first, rel=JITTER)


def test_the_pause_has_a_limit(holds: Holds) -> None:
    pauses = [holds.add(TOPIC) for _ in range(12)]
    assert max(pauses) <= 30.0 * (1 + JITTER)


def test_a_hold_is_due_when_its_pause_is_over(holds: Holds, clock: Clock) -> None:
    clock.now += holds.add(TOPIC) - 0.01
    assert holds.due() == []
    clock.now += 0.02
    assert holds.due() == [TOPIC]


def test_a_lifted_hold_lets_rows_be_read_and_keeps_its_pause(holds: Holds) -> None:
    first = holds.add(TOPIC)
    holds.lift(TOPIC)
    assert (holds.active, holds.covers(TOPIC), holds.due()) == ((), False, [])
    assert holds.lifted_total == 1
    assert holds.add(TOPIC) > first


def test_a_delivery_ends_a_lifted_hold_for_good(holds: Holds) -> None:
    holds.add(TOPIC)
    holds.add(TOPIC)
    holds.lift(TOPIC)
    holds.delivered([PARTITION])
    assert not holds
    assert holds.add(TOPIC) == pytest.approx(FIRST_HOLD_SECONDS, rel=JITTER)


def test_a_delivery_from_before_does_not_end_a_hold(holds: Holds) -> None:
    holds.add(PARTITION)
    holds.delivered([PARTITION])
    assert holds.covers(PARTITION)


def test_there_is_something_to_forget_until_a_lifted_hold_delivers(holds: Holds) -> None:
    assert not holds
    holds.add(TOPIC)
    holds.lift(TOPIC)
    assert holds
    holds.delivered([PARTITION])
    assert not holds


def test_each_lifted_hold_counts(holds: Holds) -> None:
    for number, topic_partition in enumerate((TOPIC, PARTITION), start=1):
        holds.add(topic_partition)
        holds.lift(topic_partition)
        assert holds.lifted_total == number
