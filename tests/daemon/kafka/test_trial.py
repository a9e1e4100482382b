"""Rows that Kafka refuses are found one by one, beside the others and in their order."""

import json
from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka import trial
from relay.daemon.kafka.suspects import REFUSALS_MAX, Suspects
from relay.daemon.rows import Reason, Row
from tests.daemon.kafka.conftest import PARTITIONS, TIMESTAMP_MS, Broker, Publishing
from tests.daemon.kafka.rows import row

# Only the model's broker refuses what a test wants it to.
pytestmark = pytest.mark.parametrize("broker", ["model"], indirect=True)

POISON = '{"poison": true}'
Publish = Callable[..., Publishing]


def poison(numbers: range, key: str | None = None) -> list[Row]:
    return [row(number, key=key, payload=POISON) for number in numbers]


def left(publishing: Publishing, rows: list[Row]) -> list[Row]:
    """Return what is still in the table."""
    gone = {r.id for r in publishing.delivered} | {r.row.id for r in publishing.rejected}
    return [r for r in rows if r.id not in gone]


def seqs(broker: Broker) -> list[int]:
    return [int(m.header("seq") or b"") for m in broker.read("contract")]


def test_refused_rows_break_one_lease_and_then_none(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    rows = [*poison(range(1, 5), key="a"), *(row(n, key="a") for n in range(5, 20))]
    broken = []
    for _ in range(4):
        publishing.lease(left(publishing, rows))
        broken.append(publishing.publisher.broken)
    assert broken == [True, False, False, False]
    assert [r.row.id for r in publishing.rejected] == [1, 2, 3, 4]
    assert seqs(broker) == list(range(5, 20))
    # One that was tried alone is of its time as well.
    assert {message.timestamp_ms for message in broker.read("contract")} == {TIMESTAMP_MS}


@pytest.mark.parametrize(
    ("limit", "value", "tried"), [("_MESSAGES_MAX", 2, [2, 1]), ("_BYTES_MAX", 10, [1, 1, 1])]
)
def test_a_trial_takes_so_many_messages_and_one_however_large(
    broker: Broker,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    tried: list[int],
) -> None:
    monkeypatch.setattr(trial, limit, value)
    publishing = publish(broker.make_topic())
    rows = poison(range(1, 4), key="a")
    publishing.lease(rows)
    rejected = []
    for _ in tried:
        before = len(publishing.rejected)
        publishing.lease(left(publishing, rows))
        rejected.append(len(publishing.rejected) - before)
    assert rejected == tried
    assert [r.row.id for r in publishing.rejected] == [1, 2, 3]


def test_many_refusals_in_a_row_put_their_partition_on_hold(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic())
    rows = poison(range(1, 1 + REFUSALS_MAX), key="a")
    publishing.lease(rows)
    publishing.lease(left(publishing, rows))
    (hold,) = publishing.publisher.holds.shown
    assert hold.why.startswith(f"{REFUSALS_MAX} messages in a row were refused, each alone: ")


def test_a_topic_that_refuses_everywhere_breaks_one_lease_and_is_on_hold_as_a_whole(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic())
    rows = poison(range(1, 1 + 20 * REFUSALS_MAX))
    broken = []
    for _ in range(2):
        publishing.lease(left(publishing, rows))
        broken.append(publishing.publisher.broken)
    assert broken == [True, False]
    (hold,) = publishing.publisher.holds.shown
    assert hold.topic_partition.partition is None


def test_a_partition_beside_one_that_refused_is_tried_with_one_row(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic())
    publishing.lease(poison(range(1, 2), key="a"))
    good = [row(n, key=key) for n, key in enumerate("bcdefgh" * 3, start=2)]
    publishing.lease(good)
    # The first of each partition has shown that it takes rows; the others go together again.
    tried = len(publishing.delivered)
    assert 1 <= tried <= PARTITIONS
    publishing.lease(left(publishing, good))
    assert len(publishing.delivered) == len(good)
    assert not publishing.publisher.broken


def test_a_lease_after_a_refusal_is_short_until_a_trial(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    rows = [*poison(range(1, 2), key="a"), row(2, key="a")]
    due = [publishing.publisher.trial_is_due]
    for _ in range(2):
        publishing.lease(rows)
        due.append(publishing.publisher.trial_is_due)
    assert due == [False, True, False]


def test_fewer_refusals_put_nothing_on_hold(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    rows = [*poison(range(1, REFUSALS_MAX), key="a"), row(REFUSALS_MAX, key="a")]
    for _ in range(3):
        publishing.lease(left(publishing, rows))
    assert seqs(broker) == [REFUSALS_MAX]
    assert not publishing.publisher.holds


def test_a_lease_that_is_over_tries_no_suspect(broker: Broker, publish: Publish) -> None:
    publishing = publish(broker.make_topic())
    rows = [row(1, key="a"), *poison(range(2, 3), key="a")]
    publishing.lease(rows)
    assert {reason for _, reason in publishing.undelivered} == {Reason.SUSPECT}
    publishing.lease(rows, seconds=0.0)
    assert seqs(broker) == []
    publishing.lease(rows)
    assert seqs(broker) == [1]


def test_a_lease_that_ends_within_a_trial_leaves_it_to_the_next(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic())
    rows = [*poison(range(1, 2), key="a"), *(row(n, key="a") for n in range(2, 5))]
    publishing.lease(rows)
    broker.memory.stuck.update(range(PARTITIONS))
    publishing.undelivered.clear()
    looks = iter([True])
    publishing.lease(rows, alive=lambda: next(looks, False))
    assert [(r.id, reason) for r, reason in publishing.undelivered] == [
        (1, Reason.ABANDONED),
        (2, Reason.SUSPECT),
        (3, Reason.SUSPECT),
        (4, Reason.SUSPECT),
    ]
    broker.memory.heal()
    for _ in range(4):
        publishing.lease(left(publishing, rows))
    assert seqs(broker) == [2, 3, 4]


def test_where_keys_are_blocked_a_suspect_found_guilty_holds_back_its_key(
    broker: Broker, publish: Publish
) -> None:
    publishing = publish(broker.make_topic(), block_keys=True)
    rows = [*poison(range(1, 2), key="a"), row(2, key="a")]
    publishing.lease(rows)
    publishing.lease(rows)
    assert [r.row.id for r in publishing.rejected] == [1]
    assert publishing.delivered == []


def test_more_than_there_is_room_for_waits_without_being_overtaken(
    broker: Broker, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.daemon.kafka.trial._MESSAGES_MAX", 3)
    publishing = publish(broker.make_topic())
    rows = [*poison(range(1, 3), key="a"), *(row(n, key="a") for n in range(3, 12))]
    for _ in range(5):
        publishing.lease(left(publishing, rows))
    assert seqs(broker) == list(range(3, 12))
    assert all(json.loads(r.payload or "") != {"poison": True} for r in publishing.delivered)


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("guilty", [True, False])
def test_a_trial_clears_a_row_everywhere_and_partitions_that_refused_nothing(
    *, guilty: bool
) -> None:
    suspects = Suspects()
    place, beside = (TopicPartition("topic", number, 4) for number in (0, 1))
    suspects.suspect(row(1), place)
    suspects.suspect(row(2), place)
    assert suspects.includes(row(9), beside)
    if guilty:
        suspects.convict(row(1), place, KafkaError(KafkaError.INVALID_RECORD))
    else:
        suspects.acquit(row(1), place)
    suspects.trial_over()
    assert not suspects.includes(row(1), beside)
    assert suspects.includes(row(2), beside)
    assert suspects.includes(row(9), place) == guilty


@pytest.mark.usefixtures("broker")
def test_refusals_count_in_a_row_and_of_one_kind() -> None:
    one, other = KafkaError(KafkaError.INVALID_RECORD), KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    suspects, place = Suspects(), TopicPartition("topic", 0, 4)
    suspects.suspect(row(1), place)
    for error in [one] * (REFUSALS_MAX - 1) + [other] * (REFUSALS_MAX - 1):
        suspects.convict(row(1), place, error)
        assert not suspects.refusal(place)
    assert suspects.includes(row(2), place)
    suspects.convict(row(1), place, other)
    assert suspects.refusal(place)
    suspects.acquit(row(2), place)
    assert not suspects.includes(row(3), place)
    assert not suspects.refusal(place)
