"""Unproven partitions: of an outage one lease is copied, however often it is tried again."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import pytest

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka import producer
from relay.daemon.kafka.unproven import Unproven
from relay.daemon.rows import Reason, Row
from tests.daemon.kafka.conftest import PARTITIONS, Publishing
from tests.daemon.kafka.rows import row
from tests.model.broker import Broker, Producer

ROWS = [row(number, key=f"key-{number % 20}") for number in range(1, 201)]
SILENT, TALKING, OTHER = (TopicPartition("events", number, 3) for number in range(3))


@pytest.fixture
def broker() -> Broker:
    return Broker(partitions=PARTITIONS)


@pytest.fixture
def publishing(broker: Broker) -> Iterator[Publishing]:
    with patch.object(producer, "Producer", partial(Producer, broker)):
        yield Publishing("in-memory", "events-stream")


def lose(publishing: Publishing, rows: list[Row] = ROWS) -> None:
    """Publish *rows* under a lease that ends as soon as they are on their way."""
    looks = iter([True, True])
    publishing.lease(rows, alive=lambda: next(looks, False))


def ids(rows: list[Row]) -> list[int]:
    return sorted(row.id for row in rows)


def test_while_answers_are_lost_each_attempt_sends_one_row_a_partition(
    broker: Broker, publishing: Publishing
) -> None:
    broker.answers = False
    lose(publishing)
    assert len(broker.log) == len(ROWS)
    for attempt in range(1, 6):
        lose(publishing)
        assert len(broker.log) == len(ROWS) + attempt * PARTITIONS
    assert publishing.delivered == []


def test_one_answer_proves_a_partition(broker: Broker, publishing: Publishing) -> None:
    broker.answers = False
    lose(publishing)
    broker.heal()
    publishing.undelivered.clear()
    publishing.lease(ROWS)
    assert len(publishing.delivered) == PARTITIONS
    assert {reason for _, reason in publishing.undelivered} == {Reason.HELD}
    left = [each for each in ROWS if each not in publishing.delivered]
    publishing.lease(left)
    assert ids(publishing.delivered) == ids(ROWS)


def test_the_others_go_on_beside_one_that_is_silent(broker: Broker, publishing: Publishing) -> None:
    broker.stuck = {0}
    lose(publishing)
    left = [each for each in ROWS if each not in publishing.delivered]
    assert left
    assert publishing.delivered
    new = [row(number, key=f"key-{number % 20}") for number in range(201, 401)]
    for _ in range(2):
        lose(publishing, [each for each in (*left, *new) if each not in publishing.delivered])
    delivered = set(publishing.delivered)
    silent_keys = {each.key for each in left}
    assert all((each in delivered) == (each.key not in silent_keys) for each in new)


def test_those_that_answered_until_then_prove_themselves_too(
    broker: Broker, publishing: Publishing
) -> None:
    broker.stuck = {0}
    lose(publishing)
    appended = len(broker.log)
    assert len(publishing.delivered) == appended
    broker.heal()
    broker.answers = False
    new = [row(number, key=f"key-{number % 20}") for number in range(201, 401)]
    for attempt in range(1, 4):
        lose(publishing, new)
        assert len(broker.log) == appended + attempt * PARTITIONS


@pytest.fixture
def silent_in_a_trial(broker: Broker, publishing: Publishing) -> Publishing:
    """A publisher of which all partitions answered, until one left a suspect unanswered."""
    others = [row(number, key=f"key-{number}") for number in range(1, PARTITIONS)]
    refused = row(100, key="key-0", payload='{"poison": true}')
    publishing.lease([refused])
    publishing.lease([refused, *others])
    assert [r.row for r in publishing.rejected] == [refused]
    publishing.lease(others)
    broker.answers = False
    lose(publishing, [row(101, key="key-0")])
    broker.heal()
    publishing.delivered.clear()
    return publishing


def test_what_answered_before_a_trial_fell_silent_proves_nothing(
    broker: Broker, silent_in_a_trial: Publishing
) -> None:
    silent_in_a_trial.lease([row(1, key="key-1")])
    broker.answers = False
    appended = len(broker.log)
    lose(silent_in_a_trial, [row(n, key=f"key-{n % PARTITIONS}") for n in range(201, 401)])
    sent = Counter(message.key for message in broker.log[appended:])
    # The first one is doubted: it was for the trial, which a lost lease does not come to.
    assert sent == {"key-1": 50, "key-2": 1, "key-3": 1}


def test_a_suspect_that_is_answered_proves_its_partition(silent_in_a_trial: Publishing) -> None:
    silent_in_a_trial.lease([row(101, key="key-0")])
    silent_in_a_trial.lease(ROWS)
    assert ids(silent_in_a_trial.delivered) == [*ids(ROWS[:100]), 101, *ids(ROWS[100:])]


def test_what_was_left_out_once_is_not_overtaken() -> None:
    unproven = Unproven()
    unproven.add(SILENT)
    unproven.acknowledged([TALKING])
    admission = unproven.admission()
    assert admission.admits(SILENT)
    assert not admission.admits(SILENT)
    unproven.acknowledged([SILENT])
    assert not admission.admits(SILENT)
    assert admission.admits(TALKING)
    assert admission.admits(TALKING)
    assert unproven.admission().admits(SILENT)
    assert not unproven


def test_what_was_answered_before_the_last_fell_silent_proves_nothing() -> None:
    unproven = Unproven()
    unproven.add(SILENT)
    unproven.acknowledged([TALKING])
    unproven.add(SILENT)
    assert not unproven.admission().limits(TALKING)
    unproven.add(OTHER)
    assert unproven.admission().limits(TALKING)
    unproven.acknowledged([SILENT])
    assert unproven.admission().limits(TALKING)
    unproven.acknowledged([OTHER])
    assert not unproven.admission().limits(TALKING)
