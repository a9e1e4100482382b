"""Delivery: the rows of one lease in, an outcome for each row out, in order whatever happens.

Within a partition the rows that were delivered are always the oldest of those that were sent. So
the others can be sent again by anybody, and no first appearance is ever out of order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.failures import Failures
from relay.daemon.kafka.message import Composer, UnpublishableRowError
from relay.daemon.kafka.producer import GaplessProducer, Headers, Partition
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.trial import Suspected, Trial
from relay.daemon.rows import Delivered, Outcome, Reason, Rejected, Row, Undelivered
from relay.daemon.timing import Deadline

# How often to look at the lease. That also takes in what the database has sent of the next chunk,
# which it could not go on with otherwise.
_WATCH_ROWS: Final = 200
_NO_ROOM: Final = (
    "a message does not fit into the Kafka client's queue, though nothing else is in it: raise "
    "RELAY_QUEUE_BYTES, and the properties queue.buffering.max.* where they are set"
)
NONE_STALLED: Final[Sequence[TopicPartition]] = ()


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Limits of a delivery: patience with a silent partition; a parked row blocks its key."""

    stall_seconds: float
    block_keys: bool


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Lifetime of a lease: over at its deadline, or when its connection is lost."""

    deadline: Deadline
    alive: Callable[[], bool]

    def over(self) -> bool:
        """Return whether nothing may be sent any more."""
        return self.deadline.passed() or not self.alive()


class Delivery:
    """One lease's messages: send() rows and take what is settled() meanwhile, then finish()."""

    def __init__(
        self,
        producer: GaplessProducer,
        routing: Routing,
        composer: Composer,
        failures: Failures,
        limits: DeliveryLimits,
        lifetime: Lifetime,
        trial_producer: GaplessProducer | None,
    ) -> None:
        self._producer = producer
        self._routing = routing
        self._routes = routing.routes(producer)
        self._composer = composer
        self._failures = failures
        self._suspects = failures.suspects
        self._limits = limits
        self._lifetime = lifetime
        self._trial = Trial(
            trial_producer, routing, failures, self._watch, block_keys=limits.block_keys
        )
        # Rows that are no suspects: in this lease, or behind it.
        self._others = failures.suspects.trial_is_due
        self._blocked_keys: set[str] = set()
        self._settled: list[Outcome] = []
        # Partitions that acknowledge nothing, which ended the delivery.
        self.stalled = NONE_STALLED

    @property
    def broken(self) -> bool:
        """True when nothing more can be delivered under this lease."""
        return self._producer.broken

    @property
    def in_flight(self) -> int:
        """The number of rows sent and not resolved."""
        return self._producer.in_flight

    def send(self, rows: Sequence[Row], timestamp_ms: int) -> None:
        """Hand *rows* over in their order, or settle those that cannot be sent."""
        producer = self._producer
        sent = 0
        try:
            for row in rows:
                if producer.broken or not self._send(row, timestamp_ms):
                    break
                sent += 1
                if sent % _WATCH_ROWS == 0:
                    producer.poll()
                    self._watch(producer)
        except KafkaException:
            producer.abandon()
        if sent < len(rows):
            self._settled.append(Undelivered(rows[sent:], Reason.ABANDONED))
        producer.poll()
        self._watch(producer)

    def settled(self) -> list[Outcome]:
        """Return the outcomes since the last call."""
        outcomes, self._settled = self._settled, []
        delivered, failed = self._producer.take()
        if delivered:
            self._others = True
            outcomes.append(Delivered(delivered))
            self._suspects.delivered(delivered)
            self._routing.acknowledged(self._producer)
        outcomes.extend(map(self._failures.outcome, failed))
        return outcomes

    def finish(self) -> list[Outcome]:
        """Wait until every row sent is resolved, or the lease is over; return what is settled.

        Then suspects are tried.
        """
        self._await_in_flight()
        outcomes = self.settled()
        if self._trial and self._producer.broken:
            # Some of the rows before them may be among those that failed.
            outcomes += self._trial.put_off()
        elif self._trial:
            outcomes += self._trial.run(beside_others=self._others)
            if self._trial.abandoned:
                # It owes nothing; but what answered it before proves nothing any more.
                self._producer.abandon()
        return outcomes

    # -- one row ------------------------------------------------------------------------------

    def _send(self, row: Row, timestamp_ms: int) -> bool:
        """Return False if nothing more can be sent under this lease."""
        partition = self._routes.find(row)
        if partition is None:
            self._settled.append(Undelivered([row], Reason.HELD))
            return True
        if self._blocked_keys and row.key in self._blocked_keys:
            self._settled.append(Undelivered([row], Reason.BLOCKED))
            return True
        try:
            value, headers = self._composer.compose(row, partition)
        except UnpublishableRowError as error:
            self._reject(row, error)
            return True
        if self._suspects and self._trial.concerns(row, partition):
            suspected = Suspected(row, partition, value, headers, timestamp_ms)
            if not self._trial.add(suspected):
                self._settled.append(Undelivered([row], Reason.SUSPECT))
            return True
        return self._hand_over(partition, row, value, headers, timestamp_ms)

    def _hand_over(
        self, partition: Partition, row: Row, value: bytes, headers: Headers, timestamp_ms: int
    ) -> bool:
        while not self._producer.send(partition, row, value, headers, timestamp_ms):
            if not self._producer.in_flight:
                return self._hold(partition, row)
            self._producer.flush()
            self._watch(self._producer)
            if self._producer.broken:
                return False
        return True

    def _hold(self, partition: Partition, row: Row) -> bool:
        self._routing.hold(partition.topic_partition, _NO_ROOM)
        self._routes.forget()
        self._settled.append(Undelivered([row], Reason.HELD))
        return True

    def _reject(self, row: Row, error: UnpublishableRowError) -> None:
        if self._limits.block_keys and row.key is not None:
            self._blocked_keys.add(row.key)
        self._settled.append(Rejected(row, error.reason, str(error)))

    # -- waiting ------------------------------------------------------------------------------

    def _await_in_flight(self) -> None:
        """Wait until every row sent is resolved; give up when the lease is over.

        After a failure too: requests under way for other partitions are answered as ever, and what
        is dropped before its answer may become a duplicate.
        """
        producer = self._producer
        while producer.in_flight and not producer.abandoned:
            if producer.broken:
                producer.drop_queued()
            producer.flush()
            self._watch(producer)
        if producer.broken:
            producer.abandon()

    def _watch(self, producer: GaplessProducer) -> None:
        if self._lifetime.over():
            producer.abandon()
        elif stalled := producer.stalled(self._limits.stall_seconds):
            self.stalled = stalled
            producer.abandon()
