"""Ordered producer: one confluent_kafka.Producer, from its first message until it fails."""

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.broker_errors import BrokerErrors
from relay.daemon.kafka.properties import Properties
from relay.daemon.rows import Row
from relay.logs import KAFKA_CLIENT

log = logging.getLogger(__name__)
_librdkafka = logging.getLogger(KAFKA_CLIENT)

_FLUSH_SECONDS: Final = 0.05
_PURGE_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 5.0
# Where the client logs in. It tries again a tenth of a second after a refusal, and so on.
_LOGIN_SECONDS: Final = (*(0.05,) * 20, *(0.4,) * 10)

Headers = list[tuple[str, str | bytes | None]]


class Partition:
    """Messages of one partition: sent, acknowledged, failed."""

    __slots__ = (
        "acknowledged", "failed", "max_bytes", "number", "seen", "seen_at", "sent", "topic",
        "topic_partition",
    )  # fmt: skip

    def __init__(self, topic_partition: TopicPartition, max_bytes: int) -> None:
        self.topic_partition = topic_partition
        self.topic = topic_partition.topic
        self.number = topic_partition.partition or 0
        self.max_bytes = max_bytes
        self.sent = 0
        self.acknowledged = 0
        self.failed = 0
        self.seen = 0
        self.seen_at = 0.0

    def silent_for(self, now: float) -> float:
        """Return the seconds since an acknowledgement was last seen; 0.0 if none is awaited."""
        if self.acknowledged != self.seen:
            self.seen, self.seen_at = self.acknowledged, now
        return now - self.seen_at if self.sent > self.acknowledged + self.failed else 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that Kafka, or librdkafka, refused."""

    row: Row
    error: KafkaError
    partition: Partition


class GaplessProducer:
    """Sends messages in order and collects their results.

    After a failure nothing more is delivered, as ``enable.gapless.guarantee`` has it: a later row
    cannot overtake the failed one. A ``broken`` producer is abandoned and replaced. Without the
    guarantee it goes on, and must be given one message at a time. What is said of brokers goes to
    *errors*, which outlives it.
    """

    def __init__(self, properties: Properties, errors: BrokerErrors) -> None:
        self._errors = errors
        self._gapless = bool(properties["enable.gapless.guarantee"])
        self._logs_in = str(properties.get("security.protocol")).upper().startswith("SASL")
        self.broken = False
        self.abandoned = False
        self.login_refused = False
        # Why the broker takes nothing at all from this producer; empty as long as it does.
        self.refusal = ""
        self._delivered: list[Row] = []
        self._failures: list[Failure] = []
        self._partitions: dict[TopicPartition, Partition] = {}
        self._producer = Producer({**properties, "error_cb": self._on_error, "logger": _librdkafka})

    @property
    def in_flight(self) -> int:
        """The number of messages sent and not resolved."""
        return len(self._producer)

    def partition(self, topic_partition: TopicPartition, max_bytes: int) -> Partition:
        """Return the counts of *topic_partition*, whose messages may have *max_bytes*."""
        if topic_partition not in self._partitions:
            self._partitions[topic_partition] = Partition(topic_partition, max_bytes)
        return self._partitions[topic_partition]

    def acknowledging(self) -> list[TopicPartition]:
        """Return the partitions that acknowledged a message, and failed none."""
        return [
            p.topic_partition for p in self._partitions.values() if p.acknowledged and not p.failed
        ]

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
            # By position, which takes the client two thirds of the time that names do.
            self._producer.produce(
                partition.topic,
                value,
                row.key,
                partition.number,
                partial(self._on_delivery, row, partition),
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

    def poll(self, seconds: float = 0.0) -> None:
        """Run the callbacks of messages that were resolved."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            self._on_exception(error)

    def flush(self, seconds: float = _FLUSH_SECONDS) -> None:
        """Send at once what is buffered, and wait at most *seconds* for the acknowledgements."""
        try:
            self._producer.flush(seconds)
        except KafkaException as error:
            self._on_exception(error)

    def stalled(self, seconds: float) -> list[TopicPartition]:
        """Return the partitions that owe acknowledgements and sent none for *seconds*."""
        now = time.monotonic()
        return [p.topic_partition for p in self._partitions.values() if p.silent_for(now) > seconds]

    def drop_queued(self) -> None:
        """Drop what has not left: behind a failure nothing more is sent, nor ever resolved."""
        self._producer.purge(in_queue=True, in_flight=False, blocking=False)

    def abandon(self) -> None:
        """Drop unacknowledged messages: of each partition its newest ones, without a gap."""
        self.broken = self.abandoned = True
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        gives_up_at = time.monotonic() + _PURGE_SECONDS
        while self.in_flight and time.monotonic() < gives_up_at:
            self.flush()

    def close(self) -> None:
        """Drop the client, which would otherwise live, and log in, as long as a traceback does."""
        self.abandon()
        del self._producer

    def prove(self, topic: str) -> None:
        """Wait until the broker answers a question about *topic*, or refuses the login.

        Raises:
            KafkaException: it refused the login, or did not answer.
        """
        patience = _LOGIN_SECONDS if self._logs_in else (_ANSWER_SECONDS,)
        for left, seconds in zip(reversed(range(len(patience))), patience, strict=True):
            try:
                self.describe(topic, seconds)
            except KafkaException:
                self.poll()
                if self.login_refused or not left:
                    raise
            else:
                break
        # The first answer may come on the connection to the bootstrap address, which ends with it.
        # With one on the next, the client gets its producer id, or does so half a second later.
        self.describe(topic, _ANSWER_SECONDS)
        self.poll()

    def describe(self, topic: str, seconds: float) -> TopicMetadata:
        """Ask the broker for *topic*.

        Raises:
            KafkaException: no answer within *seconds*.
        """
        found: TopicMetadata = self._producer.list_topics(topic, timeout=seconds).topics[topic]
        return found

    def _on_delivery(
        self, row: Row, partition: Partition, error: KafkaError | None, _: Message
    ) -> None:
        if error is None:
            partition.acknowledged += 1
            self._delivered.append(row)
        else:
            partition.failed += 1
            self.broken |= self._gapless
            self._failures.append(Failure(row, error, partition))

    def _on_exception(self, exception: KafkaException) -> None:
        error: KafkaError = exception.args[0]
        if error.fatal():
            self.broken = True
            if error.code() != KafkaError._GAPLESS_GUARANTEE:
                self.refusal = error.str()

    def _on_error(self, error: KafkaError) -> None:
        self._errors.note(error)
        if error.code() == KafkaError._AUTHENTICATION:
            self.login_refused = True
        log.debug("kafka client: %s", error.str())
