import time

import pytest

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.holds import FIRST_HOLD_SECONDS, Holds
from relay.daemon.state import Hold
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


def test_a_hold_says_what_it_is_of_why_since_when_and_until_when(
    holds: Holds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    pause = holds.add(PARTITION, "no leader")
    assert holds.shown == (Hold(PARTITION, "no leader", 1_000.0, 1_000.0 + pause, "murmur2"),)
    monkeypatch.setattr(time, "time", lambda: 1_007.0)
    pause = holds.add(PARTITION)
    assert holds.shown == (Hold(PARTITION, "", 1_000.0, 1_007.0 + pause, "murmur2"),)


def test_a_hold_knows_how_keys_find_their_partition(clock: Clock) -> None:
    holds = Holds(30.0, clock, "fnv1a")
    holds.add(PARTITION)
    assert [hold.partitioner for hold in holds.shown] == ["fnv1a"]


def test_a_hold_is_due_at_the_very_end_of_its_pause_and_known_until_then(
    holds: Holds, clock: Clock
) -> None:
    clock.now += holds.add(TOPIC)
    assert holds.due() == [TOPIC]
    assert TOPIC in holds
    assert PARTITION not in holds
