"""A broker in memory, and librdkafka's producer as the relay's producer sees it.

The contract of tests/daemon/kafka is this one's too: a partition takes messages in order, a refused
batch stops what is behind it and ends the producer, and what a purge takes back may still be on the
wire. Beyond that, an answer that got lost is asked for again.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message

from tests.model.stepping import gate
from tests.support.clock import Clock

PARTITIONS: Final = 2
BATCH_MESSAGES: Final = 2
_PURGED_IN_FLIGHT: Final = KafkaError._PURGE_INFLIGHT
_PURGED_IN_QUEUE: Final = KafkaError._PURGE_QUEUE

OnDelivery = Callable[[KafkaError | None, Message | None], None]


@dataclass(eq=False)
class Sent:
    """One message on its way."""

    partition: int
    key: str | None
    value: bytes
    headers: Sequence[tuple[str, str | bytes | None]]
    on_delivery: OnDelivery
    timestamp_ms: int = 0
    appended: bool = False

    @property
    def refused(self) -> bool:
        """Whether the broker will never take it."""
        return "poison" in json.loads(self.value)["payload"]


@dataclass
class Broker:
    """Partitions that grow, and what is wrong with the broker at the moment."""

    clock: Clock = field(default_factory=Clock)
    partitions: int = PARTITIONS
    log: list[Sent] = field(default_factory=list)
    up: bool = True
    answers: bool = True
    stuck: set[int] = field(default_factory=set)
    on_the_wire: list[list[Sent]] = field(default_factory=list)
    purges: int = 0

    def heal(self) -> None:
        """Let everything work again."""
        self.up = self.answers = True
        self.stuck.clear()

    def take(self, batch: Sequence[Sent]) -> bool:
        """Append *batch* as a whole, or refuse it as a whole."""
        if any(message.refused for message in batch):
            return False
        for message in batch:
            message.appended = True
        self.log.extend(batch)
        return True

    def let_arrive(self) -> None:
        """Take what a producer that is gone had sent."""
        for batch in self.on_the_wire:
            self.take(batch)
        self.on_the_wire.clear()

    def leave_on_the_wire(self, unsent: Sequence[Sent]) -> None:
        """Keep the oldest batch of each partition, which its producer may have sent already."""
        for messages in _by_partition(unsent).values():
            self.on_the_wire.append(messages[:BATCH_MESSAGES])


class Producer:
    """What the producer uses of confluent_kafka.Producer."""

    def __init__(self, broker: Broker, properties: Mapping[str, object]) -> None:
        self._broker = broker
        self._gapless = bool(properties["enable.gapless.guarantee"])
        self._waiting: list[Sent] = []
        self._answers: list[tuple[Sent, KafkaError | None]] = []
        self._fatal: KafkaError | None = None
        self._told = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._answers)

    def produce(
        self,
        topic: str,
        value: bytes,
        key: str | None,
        partition: int,
        on_delivery: OnDelivery,
        _: None = None,
        timestamp: int = 0,
        headers: Sequence[tuple[str, str | bytes | None]] = (),
    ) -> None:
        """Queue one message."""
        del topic
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        self._waiting.append(Sent(partition, key, value, headers, on_delivery, timestamp))

    def poll(self, seconds: float) -> int:
        """Take answers in."""
        del seconds
        return self._answer()

    def flush(self, seconds: float) -> int:
        """Send, and take answers in; *seconds* pass where nothing moves."""
        self._send()
        if not self._answer():
            self._broker.clock.advance(seconds)
        return len(self)

    def purge(self, *, in_queue: bool, in_flight: bool, blocking: bool) -> None:
        """End every message, or those that have not left; nothing does after a fatal error."""
        del in_queue, blocking
        ended = [m for m in self._waiting if in_flight or not m.appended]
        if ended and in_flight:
            self._broker.purges += 1
            self.vanish()
        purged = KafkaError(_PURGED_IN_FLIGHT if in_flight else _PURGED_IN_QUEUE, "purged")
        self._answers.extend((message, purged) for message in ended)
        self._waiting = [m for m in self._waiting if m not in ended]

    def vanish(self) -> None:
        """Leave what is not resolved to the network."""
        self._broker.leave_on_the_wire([m for m in self._waiting if not m.appended])

    def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
        """Describe *topic*, which exists."""
        if not self._broker.up:
            self._broker.clock.advance(timeout)
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no broker answered"))
        leaders = {n: SimpleNamespace(id=n, leader=1) for n in range(self._broker.partitions)}
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=leaders)})

    def _send(self) -> None:
        if not self._broker.up:
            return
        sent = False
        for partition, messages in _by_partition(self._waiting).items():
            if partition in self._broker.stuck:
                continue
            new = [message for message in messages if not message.appended]
            for start in range(0, len(new), BATCH_MESSAGES):
                if self._fatal is not None:
                    break
                sent = True
                batch = new[start : start + BATCH_MESSAGES]
                if not self._broker.take(batch):
                    self._refused(batch)
        if sent:
            gate("append")
        self._acknowledge()

    def _refused(self, batch: Sequence[Sent]) -> None:
        error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large")
        for message in batch:
            self._waiting.remove(message)
            self._answers.append((message, error))
        if self._gapless:
            self._fatal = KafkaError(KafkaError._GAPLESS_GUARANTEE, "a gap", fatal=True)

    def _acknowledge(self) -> None:
        if not (self._broker.up and self._broker.answers):
            return
        for message in [m for m in self._waiting if m.appended]:
            if message.partition not in self._broker.stuck:
                self._waiting.remove(message)
                self._answers.append((message, None))

    def _answer(self) -> int:
        if self._fatal is not None and not self._told:
            self._told = True
            raise KafkaException(self._fatal)
        answers, self._answers = self._answers, []
        for message, error in answers:
            message.on_delivery(error, None)
        return len(answers)


def _by_partition(messages: Sequence[Sent]) -> dict[int, list[Sent]]:
    found: dict[int, list[Sent]] = defaultdict(list)
    for message in messages:
        found[message.partition].append(message)
    return found
