"""Limits of topics: asked for at once, between leases, and assumed where there is no answer."""

from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from relay.daemon.kafka import topics
from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.kafka.topics import DEFAULT_LIMIT_BYTES, Topic, Topics
from tests.support.clock import Clock

NAMES = [f"topic-{number}" for number in range(8)]
BUFFER_BYTES = 1 << 30


class Admin:
    """An AdminClient whose answers a test sets: entries, or an error."""

    asked: Sequence[Sequence[str]] = ()
    answer: object = None

    def __init__(self, _: object) -> None:
        pass

    def describe_configs(self, resources: Sequence[Any], **_: object) -> dict[Any, Future[Any]]:
        Admin.asked = [*Admin.asked, [resource.name for resource in resources]]
        return {resource: self._future() for resource in resources}

    def _future(self) -> Future[Any]:
        future: Future[Any] = Future()
        if isinstance(self.answer, KafkaException):
            future.set_exception(self.answer)
        else:
            future.set_result(self.answer)
        return future


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> type[Admin]:
    Admin.asked = ()
    monkeypatch.setattr(topics, "AdminClient", Admin)
    return Admin


@pytest.fixture
def producer() -> GaplessProducer:
    described = SimpleNamespace(error=None, partitions={0: SimpleNamespace(id=0, leader=1)})
    found: Any = SimpleNamespace(describe=lambda *_: described)
    return found  # type: ignore[no-any-return]


def limits(known: Topics, producer: GaplessProducer, names: Sequence[str]) -> list[int]:
    for name in names:
        known.known(name)
    known.refresh(producer)
    found = [known.known(name) for name in names]
    return [topic.max_bytes for topic in found if isinstance(topic, Topic)]


def entry(value: object) -> dict[str, object]:
    return {"max.message.bytes": SimpleNamespace(value=value)}


def test_all_limits_are_asked_for_at_once(admin: type[Admin], producer: GaplessProducer) -> None:
    admin.answer = entry("20000")
    known = Topics({}, None, BUFFER_BYTES)
    assert limits(known, producer, NAMES) == [20_000] * 8
    assert limits(known, producer, NAMES) == [20_000] * 8
    assert admin.asked == [NAMES]


@pytest.mark.parametrize("answer", [{}, entry(None), entry("much"), {"other": None}])
def test_an_answer_without_the_limit_is_the_default(
    admin: type[Admin], producer: GaplessProducer, answer: object
) -> None:
    admin.answer = answer
    assert limits(Topics({}, None, BUFFER_BYTES), producer, ["a"]) == [DEFAULT_LIMIT_BYTES]


def test_where_nobody_answers_one_question_is_enough(
    admin: type[Admin], producer: GaplessProducer
) -> None:
    clock = Clock()
    admin.answer = KafkaException(KafkaError(KafkaError._TIMED_OUT))
    known = Topics({}, None, BUFFER_BYTES, clock)
    assert limits(known, producer, NAMES[:4]) == [DEFAULT_LIMIT_BYTES] * 4
    assert limits(known, producer, NAMES) == [DEFAULT_LIMIT_BYTES] * 8
    assert len(admin.asked) == 1
    clock.advance(3_600)
    admin.answer = entry("20000")
    assert limits(known, producer, NAMES) == [20_000] * 8
