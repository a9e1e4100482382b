"""The contract of a delivery, whatever the broker is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

import pytest

from relay.daemon.kafka.producer import GaplessProducer, Partition
from relay.daemon.rows import Reason, Row, Undelivered
from relay.daemon.timing import Deadline
from relay.demo.ports import LOOPBACK
from relay.errors import BrokerUnavailableError
from tests.daemon.kafka.conftest import (
    LEASE_SECONDS,
    PARTITIONS,
    TIMESTAMP_MS,
    Broker,
    Publishing,
)
from tests.daemon.kafka.rows import row
from tests.support.kafka.topics import ConsumedMessage
from tests.support.ports import free_port

Publish = Callable[..., Publishing]


def spread(numbers: range, keys: int) -> list[Row]:
    return [row(number, key=f"key-{number % keys}") for number in numbers]


def seqs_by_key(messages: list[ConsumedMessage]) -> dict[bytes | None, list[int]]:
    found: dict[bytes | None, list[int]] = {}
    for message in messages:
        found.setdefault(message.key, []).append(int(message.header("seq") or b""))
    return found


def test_what_is_delivered_is_on_the_topic_once_and_in_order(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(topic := broker.make_topic())
    rows = spread(range(1, 1001), keys=20)
    publishing.lease(rows[:400], rows[400:])
    assert sorted(r.id for r in publishing.delivered) == [r.id for r in rows]
    messages = broker.read(topic, count=1000)
    assert len(messages) == 1000
    by_key = seqs_by_key(messages)
    assert len(by_key) == 20
    assert all(seqs == sorted(seqs) for seqs in by_key.values())


def test_one_key_stays_in_one_partition_over_rebuilds(broker: Broker, publish: Publish) -> None:
    topic = broker.make_topic()
    for number in range(1, 4):
        publish(topic).lease([row(number, key="the key")])
    messages = broker.read(topic, count=3)
    assert len({message.partition for message in messages}) == 1


def test_rows_without_a_key_are_spread_and_have_none(broker: Broker, publish: Publish) -> None:
    publishing = publish(topic := broker.make_topic())
    publishing.lease([row(number) for number in range(1, 101)])
    messages = broker.read(topic, count=100)
    assert {message.key for message in messages} == {None}
    assert len({message.partition for message in messages}) == PARTITIONS


def test_an_empty_key_is_a_key(broker: Broker, publish: Publish) -> None:
    publishing = publish(topic := broker.make_topic())
    publishing.lease([row(number, key="") for number in range(1, 11)])
    messages = broker.read(topic, count=10)
    assert len({message.partition for message in messages}) == 1


def test_a_row_that_is_too_large_is_rejected_and_its_neighbours_are_delivered(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic(), max_message_bytes=20_000)
    large = row(2, key="k", payload='{"filler": "%s"}' % ("x" * 30_000))
    # So large that it was not even read.
    unread = row(4, key="k", payload=None, size=60_000_000)
    publishing.lease([row(1, key="k"), large, row(3, key="k"), unread, row(5, key="k")])
    assert [r.id for r in publishing.delivered] == [1, 3, 5]
    assert [(r.row.id, r.reason) for r in publishing.rejected] == [
        (2, Reason.TOO_LARGE),
        (4, Reason.TOO_LARGE),
    ]
    assert all("max.message.bytes" in r.error for r in publishing.rejected)
    assert "at least 60000000 bytes" in publishing.rejected[1].error
    assert "xxx" not in publishing.rejected[0].error


def test_where_keys_are_blocked_a_rejected_row_holds_back_those_behind_it(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic(), block_keys=True)
    unreadable = row(2, key="k", headers='{"traceparent": 7}')
    publishing.lease([row(1, key="k"), unreadable, row(3, key="k"), row(4, key="other")])
    assert sorted(r.id for r in publishing.delivered) == [1, 4]
    assert [(r.row.id, r.reason) for r in publishing.rejected] == [(2, Reason.UNREADABLE)]
    assert [(r.id, reason) for r, reason in publishing.undelivered] == [(3, Reason.BLOCKED)]


def test_headers_of_the_row_follow_id_and_seq(broker: Broker, publish: Publish) -> None:
    publishing = publish(topic := broker.make_topic())
    publishing.lease([row(7, headers='{"traceparent": "00-abc"}')])
    (message,) = broker.read(topic, count=1)
    assert [name for name, _ in message.headers] == ["id", "seq", "traceparent"]
    assert message.header("seq") == b"7"


def test_a_header_that_would_be_cut_is_rejected(broker: Broker, publish: Publish) -> None:
    publishing = publish(topic := broker.make_topic())
    publishing.lease([row(1, headers='{"a\\u0000b": "c"}'), row(2, headers='{"a": "c\\u0000d"}')])
    assert [(r.row.id, r.reason) for r in publishing.rejected] == [(1, Reason.UNREADABLE)]
    (message,) = broker.read(topic, count=1)
    assert message.header("a") == b"c\0d"


# The model has one topic.
@pytest.mark.parametrize("broker", ["mock"], indirect=True)
def test_within_a_lease_nothing_is_asked_of_the_broker(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    publishing.lease([row(1)])
    publishing.publisher.ready()
    new = [row(number, topic=broker.make_topic()) for number in range(2, 5)]
    with (
        patch.object(GaplessProducer, "describe", side_effect=AssertionError),
        publishing.publisher.delivery(Deadline(LEASE_SECONDS), lambda: True) as delivery,
    ):
        delivery.send(new, TIMESTAMP_MS)
        left = delivery.finish()
    assert {outcome.reason for outcome in left if isinstance(outcome, Undelivered)} == {"held"}
    publishing.lease(new)
    assert sorted(r.id for r in publishing.delivered) == [1, 2, 3, 4]


def dies_after(looks: int) -> Callable[[], bool]:
    numbers: Iterator[int] = count(1)
    return lambda: next(numbers) <= looks


@pytest.mark.parametrize("looks", [1, 3])
def test_when_the_lease_is_lost_what_was_delivered_is_the_oldest_of_each_partition(
    broker: Broker, publish: Publish, looks: int
) -> None:
    publishing = publish(topic := broker.make_topic())
    rows = spread(range(1, 3001), keys=20)
    publishing.lease(rows, alive=dies_after(looks))
    assert publishing.undelivered
    ended = [*publishing.delivered, *(r for r, _ in publishing.undelivered)]
    assert sorted(r.id for r in ended) == [r.id for r in rows]
    delivered = {r.id for r in publishing.delivered}
    for key in {r.key for r in rows}:
        of_key = [r.id in delivered for r in rows if r.key == key]
        assert of_key == sorted(of_key, reverse=True)
    # The rest goes with the next leases, by a new producer, and nothing is out of order.
    publishing.lease([r for r in rows if r.id not in delivered])
    delivered = {r.id for r in publishing.delivered}
    publishing.lease([r for r in rows if r.id not in delivered])
    assert len(publishing.delivered) == 3000
    messages = broker.read(topic, until=lambda m: len({c.header("id") for c in m}) == 3000)
    for seqs in seqs_by_key(messages).values():
        first_appearances = list(dict.fromkeys(seqs))
        assert first_appearances == sorted(first_appearances)


def test_a_lease_without_time_left_delivers_nothing_more(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    publishing.lease([row(1)])
    publishing.lease(spread(range(2, 500), keys=3), seconds=0.0)
    assert publishing.publisher.broken
    assert len(publishing.delivered) + len(publishing.undelivered) == 499
    # It was never sent.
    last, reason = max(publishing.undelivered, key=lambda each: each[0].id)
    assert (last.id, reason) == (499, Reason.ABANDONED)


@contextmanager
def room_only_for(fits: Callable[[GaplessProducer, Row], bool]) -> Iterator[None]:
    """Let the client's queue be full for all other rows."""
    send = GaplessProducer.send

    def sent(self: GaplessProducer, partition: Partition, given: Row, *rest: Any) -> bool:  # noqa: ANN401
        return fits(self, given) and send(self, partition, given, *rest)

    with patch.object(GaplessProducer, "send", sent):
        yield


@pytest.mark.parametrize("broker", ["model"], indirect=True)
def test_room_in_the_queue_is_waited_for(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    with room_only_for(lambda producer, _: not producer.in_flight):
        publishing.lease(spread(range(1, 10), keys=3))
    assert [r.id for r in publishing.delivered] == list(range(1, 10))
    assert not publishing.publisher.holds


@pytest.mark.parametrize("broker", ["model"], indirect=True)
def test_a_message_that_not_even_the_empty_queue_has_room_for_holds_its_partition_alone(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic())
    rows = [row(1, key="a"), row(2, key="a"), row(3, key="a"), *spread(range(4, 30), keys=9)]
    with room_only_for(lambda _, given: given.id != 2):
        publishing.lease(rows)
    (hold,) = publishing.publisher.holds.shown
    assert "RELAY_QUEUE_BYTES" in hold.why
    held = [r.id for r, reason in publishing.undelivered if reason is Reason.HELD]
    assert held[:2] == [2, 3]
    assert len(held) == len(publishing.undelivered)
    kept = {m.partition for m in broker.read("contract") if int(m.header("seq") or b"") > 3}
    assert kept == set(range(PARTITIONS)) - {hold.topic_partition.partition}


def test_a_broker_that_is_not_there_is_said_before_anything_is_claimed() -> None:
    publishing = Publishing(f"{LOOPBACK}:{free_port()}", "events-stream")
    with pytest.raises(BrokerUnavailableError):
        publishing.publisher.ready()
    publishing.publisher.close()


# The others have every topic that they are asked for.
@pytest.mark.parametrize("broker", [pytest.param("real", marks=pytest.mark.kafka)], indirect=True)
def test_a_missing_topic_holds_its_rows_and_no_others(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    publishing.lease([row(1, topic="nowhere"), row(2), row(3, topic="nowhere")])
    publishing.publisher.ready()
    assert [r.id for r in publishing.delivered] == [2]
    assert [(r.id, reason) for r, reason in publishing.undelivered] == [
        (1, Reason.HELD),
        (3, Reason.HELD),
    ]
    assert publishing.publisher.holds.exclusions().topics == ("nowhere",)
