"""Routing: the partition of each row, and which rows wait for which reason."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka import routing as module
from relay.daemon.kafka.holds import Holds
from relay.daemon.kafka.partitioner import partition
from relay.daemon.kafka.producer import GaplessProducer, Partition
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.topics import METADATA_SECONDS, Topics
from tests.daemon.kafka.rows import row
from tests.support.clock import Clock

TOPIC, PARTITIONS, MAX_BYTES = "events", 4, 1_000
KEY = "the key"
NUMBER = partition("murmur2", KEY, PARTITIONS)
PLACE = TopicPartition(TOPIC, NUMBER, PARTITIONS)
HOLD_SECONDS = 2.0


class Producer(GaplessProducer):
    """What routing asks of a producer: a topic has four partitions, each with a leader."""

    def __init__(self) -> None:  # without a client
        self.missing: list[str] = []
        self.why = KafkaError.UNKNOWN_TOPIC_OR_PART
        self.leaderless: list[int] = []
        self.partitions = PARTITIONS
        self.answered: list[TopicPartition] = []

    def describe(self, topic: str, seconds: float) -> TopicMetadata:
        del seconds
        error = KafkaError(self.why) if topic in self.missing else None
        partitions = {
            number: SimpleNamespace(id=number, leader=-1 if number in self.leaderless else 0)
            for number in range(self.partitions)
        }
        found: Any = SimpleNamespace(error=error, partitions=partitions)
        return cast("TopicMetadata", found)

    def partition(self, topic_partition: TopicPartition, max_bytes: int) -> Partition:
        return Partition(topic_partition, max_bytes)

    def acknowledging(self) -> list[TopicPartition]:
        return self.answered


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def routing(clock: Clock) -> Routing:
    topics = Topics({}, MAX_BYTES, 1 << 20, clock)
    return Routing(TOPIC, "murmur2", topics, Holds(30.0, clock))


def on_hold(routing: Routing) -> dict[TopicPartition, str]:
    return {hold.topic_partition: hold.why for hold in routing.holds.shown}


def test_a_topic_is_asked_for_between_leases(routing: Routing, producer: Producer) -> None:
    wanted = row(1, key=KEY, topic="other")
    assert routing.find(wanted, producer) is None
    routing.refresh(producer)
    found = routing.find(wanted, producer)
    assert found is not None
    assert found.topic_partition == TopicPartition("other", NUMBER, PARTITIONS)
    assert found.max_bytes == MAX_BYTES
    assert not routing.holds


def test_a_row_without_a_key_always_goes_to_the_same_partition(
    routing: Routing, producer: Producer
) -> None:
    routing.topics.find(TOPIC, producer)
    for number in range(8):
        found = routing.find(each := row(number), producer)
        assert found is not None
        assert found.number == partition("murmur2", each.event_id, PARTITIONS)


@pytest.mark.parametrize("asked_within_a_lease", [True, False])
def test_a_missing_topic_is_on_hold_as_a_whole(
    routing: Routing, producer: Producer, *, asked_within_a_lease: bool
) -> None:
    producer.missing = [TOPIC]
    routing.topics.known(TOPIC)
    if asked_within_a_lease:
        routing.topics.refresh(producer)
        assert routing.find(row(1), producer) is None
    else:
        routing.refresh(producer)
    ((held, why),) = on_hold(routing).items()
    assert held == TopicPartition(TOPIC)
    assert "Unknown topic" in why


def test_a_partition_without_a_leader_is_on_hold_alone(
    routing: Routing, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    producer.leaderless = [NUMBER]
    routing.topics.find(TOPIC, producer)
    assert routing.find(row(1, key=KEY), producer) is None
    assert on_hold(routing) == {PLACE: "the partition has no leader"}
    (said,) = caplog.messages
    assert said.startswith(f"{PLACE} is on hold for ")
    assert "the partition has no leader; its rows wait" in said
    others = [routing.find(row(number), producer) for number in range(8)]
    assert any(others)


def test_what_is_on_hold_already_is_held_no_longer(routing: Routing, clock: Clock) -> None:
    routing.hold(PLACE, "first")
    clock.advance(HOLD_SECONDS)
    routing.hold(PLACE, "second")
    assert on_hold(routing) == {PLACE: "first"}
    assert routing.holds.due() == [PLACE]


def test_a_hold_whose_cause_is_gone_is_lifted(
    routing: Routing, producer: Producer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    routing.hold(PLACE, "silent")
    assert not routing.review_holds(producer)
    clock.advance(HOLD_SECONDS)
    with caplog.at_level("INFO"):
        assert routing.review_holds(producer)
    assert caplog.messages[-1] == f"{PLACE} is tried again"
    assert not routing.review_holds(producer)
    assert routing.find(row(1, key=KEY), producer) is not None


@pytest.mark.parametrize(
    ("trouble", "held", "why"),
    [
        ({"missing": [TOPIC]}, TopicPartition(TOPIC), "Unknown topic"),
        ({"leaderless": [NUMBER]}, PLACE, "no leader"),
    ],
)
def test_a_hold_whose_cause_is_there_still_lasts_twice_as_long(
    routing: Routing,
    producer: Producer,
    clock: Clock,
    trouble: dict[str, Any],
    held: TopicPartition,
    why: str,
) -> None:
    routing.topics.find(TOPIC, producer)
    routing.hold(held, "at first")
    vars(producer).update(trouble)
    clock.advance(HOLD_SECONDS)
    assert not routing.review_holds(producer)
    assert why in on_hold(routing)[held]
    clock.advance(HOLD_SECONDS / 2)
    assert routing.holds.due() == []


def test_a_partition_that_answers_is_proven_and_its_lifted_hold_forgotten(
    routing: Routing, producer: Producer, clock: Clock
) -> None:
    routing.hold(PLACE, "silent")
    routing.unproven.add(PLACE)
    clock.advance(HOLD_SECONDS)
    routing.review_holds(producer)
    routing.acknowledged(producer)
    assert PLACE in routing.holds
    producer.answered = [PLACE]
    routing.acknowledged(producer)
    assert PLACE not in routing.holds
    assert not routing.unproven


def test_a_partition_that_is_gone_owes_no_answer(
    routing: Routing, producer: Producer, clock: Clock
) -> None:
    routing.topics.find(TOPIC, producer)
    routing.unproven.add(PLACE)
    routing.refresh(producer)
    assert routing.unproven
    producer.partitions = PARTITIONS - 1
    clock.advance(METADATA_SECONDS)
    routing.refresh(producer)
    assert not routing.unproven


@pytest.mark.parametrize(
    "why", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED]
)
def test_a_topic_that_cannot_be_written_proves_no_partition(
    routing: Routing, producer: Producer, clock: Clock, why: int
) -> None:
    routing.topics.find(TOPIC, producer)
    routing.unproven.add(PLACE)
    producer.missing, producer.why = [TOPIC], why
    for _ in range(3):
        clock.advance(METADATA_SECONDS)
        routing.refresh(producer)
        routing.review_holds(producer)
        assert routing.unproven.admission().limits(PLACE)
    assert on_hold(routing)


def test_a_hold_ends_with_its_partition(routing: Routing, producer: Producer, clock: Clock) -> None:
    routing.topics.find(TOPIC, producer)
    routing.hold(PLACE, "silent")
    producer.partitions = PARTITIONS - 1
    clock.advance(HOLD_SECONDS)
    assert routing.review_holds(producer)
    assert not routing.holds


def test_a_lease_keeps_to_its_partitions_until_it_is_told_to_forget(
    routing: Routing, producer: Producer
) -> None:
    routing.topics.find(TOPIC, producer)
    routes = routing.routes(producer)
    first = routes.find(row(1, key=KEY))
    routing.hold(PLACE, "held")
    assert routes.find(row(2, key=KEY)) is first is not None
    routes.forget()
    assert routes.find(row(3, key=KEY)) is None


def test_the_same_key_of_another_topic_has_a_partition_of_its_own(
    routing: Routing, producer: Producer
) -> None:
    for topic in (TOPIC, "other"):
        routing.topics.find(topic, producer)
    routes = routing.routes(producer)
    found = [routes.find(row(number, key=KEY, topic=t)) for number, t in enumerate([None, "other"])]
    assert [each.topic for each in found if each] == [TOPIC, "other"]


@pytest.mark.parametrize(("room", "remembered"), [(400, True), (170, False)])
def test_keys_are_remembered_as_far_as_there_is_room(
    routing: Routing,
    producer: Producer,
    monkeypatch: pytest.MonkeyPatch,
    room: int,
    *,
    remembered: bool,
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_BYTES", room)
    routing.topics.find(TOPIC, producer)
    routes = routing.routes(producer)
    for _ in range(3):
        first = routes.find(row(1, key=KEY))
        assert (routes.find(row(2, key=KEY)) is first) == remembered
        # After which there is as much room as before.
        routes.forget()


def test_an_unproven_partition_gets_one_row_of_a_lease(
    routing: Routing, producer: Producer
) -> None:
    routing.topics.find(TOPIC, producer)
    routing.unproven.add(PLACE)
    routes = routing.routes(producer)
    assert routes.find(row(1, key=KEY)) is not None
    assert routes.find(row(2, key=KEY)) is None
    assert routing.routes(producer).find(row(3, key=KEY)) is not None
