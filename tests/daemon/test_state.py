"""State of Kafka for other threads, as it stands in outbox_relay."""

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.holds import FIRST_HOLD_SECONDS, Holds
from relay.daemon.state import BrokerError


def test_a_hold_says_since_when_why_and_when_it_is_tried_again() -> None:
    holds = Holds(30.0, partitioner="fnv1a")
    topic = TopicPartition("topic", 2, 4)
    holds.add(topic, "no leader")
    (first,) = holds.shown
    holds.add(topic, "still no leader")
    (second,) = holds.shown
    assert second.since == first.since
    assert second.next_try_at > first.next_try_at > first.since + FIRST_HOLD_SECONDS / 2
    shown = second.as_json()
    assert (shown["topic"], shown["partition"], shown["partitions"]) == ("topic", 2, 4)
    assert (shown["why"], shown["partitioner"]) == ("still no leader", "fnv1a")
    assert str(shown["since"]).endswith("+00:00")


def test_a_lifted_hold_is_not_shown() -> None:
    holds = Holds(30.0)
    holds.add(TopicPartition("topic"), "missing")
    holds.lift(TopicPartition("topic"))
    assert holds.shown == ()


def test_an_error_says_which_broker_and_when() -> None:
    error = BrokerError("kafka-0:9092", "Failed to resolve", 0.0)
    assert error.as_json() == {
        "address": "kafka-0:9092",
        "text": "Failed to resolve",
        "at": "1970-01-01T00:00:00.000+00:00",
    }
