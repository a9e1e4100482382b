"""Trial: the suspects of one lease, each sent alone when the others are through.

A refusal would end the producer of the others, and all that it has under way. So suspects have a
producer of their own, which goes on; with one message at a time nothing can overtake.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relay.daemon import timing
from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.failures import Failures
from relay.daemon.kafka.producer import GaplessProducer, Headers, Partition
from relay.daemon.kafka.routing import Routing
from relay.daemon.rows import Delivered, Outcome, Reason, Rejected, Row, Undelivered

# More than there is time for; the others of a lease wait for the next one.
_MESSAGES_MAX: Final = 1_000
_BYTES_MAX: Final = 4 << 20
# Of a lease that has other rows, its suspects may take this part; without others, so long.
_SHARE: Final = 0.1
_ALONE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Suspected:
    """A message that waits for its trial."""

    row: Row
    partition: Partition
    value: bytes
    headers: Headers
    timestamp_ms: int


class Trial:
    """Takes messages while the others are sent, and sends them one by one in the end.

    Without a *producer* they wait; *watch* ends one that has to give up.
    """

    def __init__(
        self,
        producer: GaplessProducer | None,
        routing: Routing,
        failures: Failures,
        watch: Callable[[GaplessProducer], None],
        *,
        block_keys: bool,
    ) -> None:
        self._producer = producer
        self._routing = routing
        self._failures = failures
        self._suspects = failures.suspects
        self._watch = watch
        self._block_keys = block_keys
        self._messages: list[Suspected] = []
        self._bytes = 0
        # Whatever comes behind a suspect of its partition waits as well, or it would overtake.
        self._waiting = set[TopicPartition]()
        self._blocked_keys: set[str | None] = set()
        self._stopped = False
        self._begun_at = timing.boot_seconds()

    def __len__(self) -> int:
        return len(self._messages)

    def concerns(self, row: Row, partition: Partition) -> bool:
        """Return whether *row* has to wait for the trial."""
        topic_partition = partition.topic_partition
        return topic_partition in self._waiting or self._suspects.includes(row, topic_partition)

    def add(self, message: Suspected) -> bool:
        """Let *message* wait; return False if it has to wait for another lease."""
        self._waiting.add(message.partition.topic_partition)
        self._bytes += len(message.value)
        if len(self._messages) >= _MESSAGES_MAX or self._bytes > _BYTES_MAX:
            return False
        self._messages.append(message)
        return True

    def put_off(self) -> list[Outcome]:
        """Leave all messages to the next lease."""
        return [Undelivered([message.row for message in self._messages], Reason.SUSPECT)]

    def run(self, *, beside_others: bool) -> list[Outcome]:
        """Send the messages one by one, as long as there is time for it."""
        producer = self._producer
        if producer is None:
            return self.put_off()
        took = timing.boot_seconds() - self._begun_at
        ends = timing.Deadline(_SHARE * took if beside_others else _ALONE_SECONDS)
        outcomes: list[Outcome] = []
        tried = set[TopicPartition]()
        cleared = set[TopicPartition]()
        for message in self._messages:
            topic_partition = message.partition.topic_partition
            if not self._suspects.includes(message.row, topic_partition):
                # It only stood behind them, and goes with the others again.
                cleared.add(topic_partition)
            late = bool(tried) and ends.passed()
            if late or topic_partition in cleared or not self._may_send(producer, message):
                outcomes.append(Undelivered([message.row], Reason.SUSPECT))
                continue
            tried.add(topic_partition)
            outcomes.append(self._send(producer, message))
        for topic_partition in tried:
            if why := self._suspects.refusal(topic_partition):
                self._routing.hold(topic_partition, why)
        return outcomes

    def _may_send(self, producer: GaplessProducer, message: Suspected) -> bool:
        return not (
            self._stopped
            or producer.broken
            or message.row.key in self._blocked_keys
            or self._routing.holds.covers(message.partition.topic_partition)
        )

    def _send(self, producer: GaplessProducer, message: Suspected) -> Outcome:
        row, partition = message.row, message.partition
        own = producer.partition(partition.topic_partition, partition.max_bytes)
        producer.send(own, row, message.value, message.headers, message.timestamp_ms)
        while producer.in_flight and not producer.abandoned:
            producer.flush()
            self._watch(producer)
        delivered, failed = producer.take()
        if delivered:
            self._suspects.acquit(row, partition.topic_partition)
            self._routing.holds.delivered([partition.topic_partition])
            return Delivered(delivered)
        if not failed:
            self._stopped = True
            return Undelivered([row], Reason.ABANDONED)
        outcome = self._failures.outcome(failed[0], alone=True)
        if not isinstance(outcome, Rejected):
            # Or the next one would overtake it.
            self._stopped = True
        elif self._block_keys and row.key is not None:
            self._blocked_keys.add(row.key)
        return outcome
