"""One contract for three brokers: the model's, the mock that the demo uses, and the real one."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from relay.daemon.assembly import make_publisher
from relay.daemon.kafka import producer
from relay.daemon.rows import Delivered, Outcome, Rejected, Row, Undelivered
from relay.daemon.timing import Deadline
from relay.demo.broker import MockBroker
from tests.model import broker as model
from tests.support.kafka.topics import ConsumedMessage, read_topic
from tests.support.settings import streaming

LEASE_SECONDS = 20.0
PARTITIONS = 4
TIMESTAMP_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Broker:
    """Where to publish; *make_topic* makes a topic of four partitions, *read* reads it.

    The model's is *memory*, in which a test may break what it likes.
    """

    bootstrap: str
    make_topic: Callable[[], str]
    read: Callable[..., list[ConsumedMessage]]
    memory: model.Broker = field(default_factory=model.Broker)


@pytest.fixture(params=["model", "mock", pytest.param("real", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    if request.param == "real":
        bootstrap = request.getfixturevalue("kafka").bootstrap
        make_topic = request.getfixturevalue("make_topic")
        yield Broker(bootstrap, make_topic, partial(read_topic, bootstrap))
    elif request.param == "mock":
        with MockBroker() as mock:

            def make() -> str:
                mock.create(name := f"contract-{uuid.uuid4().hex[:12]}")
                return name

            yield Broker(mock.bootstrap, make, partial(read_topic, mock.bootstrap))
    else:
        memory = model.Broker(partitions=PARTITIONS)
        with patch.object(producer, "Producer", partial(model.Producer, memory)):
            yield Broker("in-memory", lambda: "contract", partial(read_memory, memory), memory)


def read_memory(memory: model.Broker, topic: str, **_: object) -> list[ConsumedMessage]:
    """All that the model's broker took, what is still on the wire included."""
    del topic
    memory.let_arrive()
    return [
        ConsumedMessage(
            sent.partition,
            offset,
            None if sent.key is None else sent.key.encode(),
            sent.value,
            [
                (name, text.encode() if isinstance(text, str) else text)
                for name, text in sent.headers
            ],
            sent.timestamp_ms,
        )
        for offset, sent in enumerate(memory.log)
    ]


class Publishing:
    """A publisher, and what became of the rows given to it."""

    def __init__(self, bootstrap: str, topic: str, **relay: object) -> None:
        # The mock knows no DescribeConfigs.
        limits: dict[str, Any] = {"max_message_bytes": 1_000_000} | relay
        self.publisher = make_publisher(
            streaming(bootstrap=bootstrap, topic=topic, **limits), lambda _: None
        )
        self.delivered: list[Row] = []
        self.rejected: list[Rejected] = []
        self.undelivered: list[tuple[Row, str]] = []

    def lease(
        self,
        *chunks: list[Row],
        seconds: float = LEASE_SECONDS,
        alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """Publish *chunks* as one lease does, and look that each row has one outcome."""
        self.publisher.ready()
        ended: list[int] = []
        with self.publisher.delivery(Deadline(seconds), alive) as delivery:
            for chunk in chunks:
                delivery.send(chunk, TIMESTAMP_MS)
                ended += self._note(delivery.settled())
            ended += self._note(delivery.finish())
        assert sorted(ended) == sorted(row.id for chunk in chunks for row in chunk)

    def _note(self, outcomes: list[Outcome]) -> Iterator[int]:
        for outcome in outcomes:
            match outcome:
                case Delivered():
                    self.delivered.extend(outcome.rows)
                    yield from (row.id for row in outcome.rows)
                case Rejected():
                    self.rejected.append(outcome)
                    yield outcome.row.id
                case Undelivered():
                    self.undelivered.extend((row, outcome.reason) for row in outcome.rows)
                    yield from (row.id for row in outcome.rows)


@pytest.fixture
def publish(broker: Broker) -> Iterator[Callable[..., Publishing]]:
    """Make a publisher for a topic: `publish(topic, stall_seconds=1.0)`."""
    made: list[Publishing] = []

    def make(topic: str, **relay: object) -> Publishing:
        made.append(Publishing(broker.bootstrap, topic, **relay))
        return made[-1]

    yield make
    for publishing in made:
        publishing.publisher.close()
