"""Ordered producer: one confluent_kafka.Producer, from its first message until it fails."""

import logging
import time
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.properties import Properties
from relay.daemon.rows import Row
from relay.logs import KAFKA_CLIENT

log = logging.getLogger(__name__)
_librdkafka = logging.getLogger(KAFKA_CLIENT)

_SLICE_SECONDS: Final = 0.05
_PURGE_SECONDS: Final = 2.0

Headers = list[tuple[str, str | bytes | None]]


class Partition:
    """What was sent to one partition, and what came back."""

    __slots__ = (
        "acknowledged", "failed", "max_bytes", "number", "place", "seen", "seen_at", "sent",
        "topic",
    )  # fmt: skip

    def __init__(self, place: TopicPartition, max_bytes: int) -> None:
        self.place = place
        self.topic = place.topic
        self.number = place.partition or 0
        self.max_bytes = max_bytes
        self.sent = 0
        self.acknowledged = 0
        self.failed = 0
        self.seen = 0
        self.seen_at = 0.0

    def silent_for(self, now: float) -> float:
        """Return for how many seconds nothing was acknowledged, as far as was looked."""
        if self.acknowledged != self.seen:
            self.seen, self.seen_at = self.acknowledged, now
        return now - self.seen_at if self.sent > self.acknowledged + self.failed else 0.0


class Failure:
    """A message that Kafka, or librdkafka, refused."""

    __slots__ = ("error", "partition", "row")

    def __init__(self, row: Row, error: KafkaError, partition: Partition) -> None:
        self.row = row
        self.error = error
        self.partition = partition


class GaplessProducer:
    """Sends messages in order and collects what became of them.

    After a failure nothing more is delivered, as ``enable.gapless.guarantee`` has it: a later row
    cannot overtake the failed one. ``broken`` tells; the channel is abandoned then and replaced.
    """

    def __init__(self, properties: Properties) -> None:
        self.last_error = "no broker answered"
        self.broken = False
        self.abandoned = False
        # Why the broker takes nothing at all from this producer; empty as long as it does.
        self.refusal = ""
        self._delivered: list[Row] = []
        self._failures: list[Failure] = []
        self._partitions: dict[TopicPartition, Partition] = {}
        self._producer = Producer({**properties, "error_cb": self._heard, "logger": _librdkafka})

    @property
    def open(self) -> int:
        """Return the number of messages sent and not resolved."""
        return len(self._producer)

    def partition(self, place: TopicPartition, max_bytes: int) -> Partition:
        """Return the books of *place*, whose messages may have *max_bytes*."""
        if place not in self._partitions:
            self._partitions[place] = Partition(place, max_bytes)
        return self._partitions[place]

    def places(self) -> list[TopicPartition]:
        """Return the places that acknowledged a message."""
        return [p.place for p in self._partitions.values() if p.acknowledged]

    def take(self) -> tuple[list[Row], list[Failure]]:
        """Return the rows delivered and the failures since the last call."""
        taken = self._delivered, self._failures
        self._delivered, self._failures = [], []
        return taken

    def send(
        self,
        partition: Partition,
        row: Row,
        value: bytes,
        headers: Headers,
        timestamp_ms: int,
    ) -> bool:
        """Hand one message over; return False if the buffer is full."""
        try:
            # By place, which takes the client two thirds of the time that names do.
            self._producer.produce(
                partition.topic,
                value,
                row.key,
                partition.number,
                partial(self._resolved, row, partition),
                None,  # the callback again, by its other name
                timestamp_ms,
                headers,
            )
        except BufferError:
            return False
        except KafkaException as error:
            self.broken = True
            self._failures.append(Failure(row, error.args[0], partition))
            return True
        if partition.sent == partition.acknowledged:
            partition.seen_at = time.monotonic()
        partition.sent += 1
        return True

    def _resolved(
        self, row: Row, partition: Partition, error: KafkaError | None, _: Message
    ) -> None:
        if error is None:
            partition.acknowledged += 1
            self._delivered.append(row)
        else:
            partition.failed += 1
            self.broken = True
            self._failures.append(Failure(row, error, partition))

    def serve(self, seconds: float = 0.0) -> None:
        """Take in what has happened meanwhile."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            self._failed(error)

    def flush(self, seconds: float = _SLICE_SECONDS) -> None:
        """Send at once what is buffered, and wait at most *seconds* for the acknowledgements."""
        try:
            self._producer.flush(seconds)
        except KafkaException as error:
            self._failed(error)

    def stalled(self, seconds: float) -> list[TopicPartition]:
        """Return the partitions with messages under way of which none arrived for *seconds*."""
        now = time.monotonic()
        return [p.place for p in self._partitions.values() if p.silent_for(now) > seconds]

    def abandon(self) -> None:
        """Drop what is not acknowledged. In each partition that is all of the newest messages."""
        self.broken = self.abandoned = True
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        gives_up_at = time.monotonic() + _PURGE_SECONDS
        while self.open and time.monotonic() < gives_up_at:
            self.flush()

    def describe(self, topic: str, seconds: float) -> TopicMetadata:
        """Ask the broker for *topic*.

        Raises:
            KafkaException: no answer within *seconds*.
        """
        found: TopicMetadata = self._producer.list_topics(topic, timeout=seconds).topics[topic]
        return found

    def _failed(self, error: KafkaException) -> None:
        fault: KafkaError = error.args[0]
        self.last_error = fault.str()
        if fault.fatal():
            self.broken = True
            if fault.code() != KafkaError._GAPLESS_GUARANTEE:
                self.refusal = fault.str()

    def _heard(self, error: KafkaError) -> None:
        self.last_error = error.str()
        log.debug("kafka client: %s", error.str())
