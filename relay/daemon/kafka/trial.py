"""Trial: the suspects of one lease, each sent alone when the others are through.

A refusal would end the producer of the others, and all that it has under way. So suspects have a
producer of their own, which goes on; with one message of a partition at a time nothing can
overtake.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from relay.daemon import timing
from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.failures import Failures
from relay.daemon.kafka.producer import Failure, GaplessProducer, Headers, Partition
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.suspects import REFUSALS_MAX
from relay.daemon.rows import Delivered, Outcome, Reason, Rejected, Row, Undelivered

# More than there is time for; the others of a lease wait for the next one.
_MESSAGES_MAX: Final = 1_000
_BYTES_MAX: Final = 4 << 20
# Beside other rows, suspects may take this part of all the time; without others, so long.
_SHARE: Final = 0.05
_ALONE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Suspected:
    """A message that waits for its trial."""

    row: Row
    partition: Partition
    value: bytes
    headers: Headers
    timestamp_ms: int

    @property
    def topic_partition(self) -> TopicPartition:
        """The topic and partition that it is for."""
        return self.partition.topic_partition


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
        # Whatever comes behind a suspect of its partition waits as well, or it would overtake.
        self._waiting: dict[TopicPartition, deque[Suspected]] = {}
        self._messages = 0
        self._bytes = 0
        self._put_off: list[Row] = []

    def __len__(self) -> int:
        return self._messages

    @property
    def abandoned(self) -> bool:
        """True if it ended with a message that was left unanswered."""
        return self._producer is not None and self._producer.abandoned

    def concerns(self, row: Row, partition: Partition) -> bool:
        """Return whether *row* has to wait for the trial."""
        topic_partition = partition.topic_partition
        return topic_partition in self._waiting or self._suspects.includes(row, topic_partition)

    def add(self, message: Suspected) -> bool:
        """Let *message* wait; return False if it has to wait for another lease."""
        waiting = self._waiting.setdefault(message.topic_partition, deque())
        self._bytes += len(message.value)
        full = self._messages >= _MESSAGES_MAX or self._bytes > _BYTES_MAX
        # The first one comes along however large it is, or it would wait for ever.
        if full and self._messages:
            return False
        self._messages += 1
        waiting.append(message)
        return True

    def put_off(self) -> list[Outcome]:
        """Leave all messages to the next lease."""
        for topic_partition in self._waiting:
            self._leave(topic_partition)
        return [Undelivered(self._put_off, Reason.SUSPECT)]

    def run(self, *, beside_others: bool) -> list[Outcome]:
        """Send the messages, one of each partition at a time, as long as there is time for it."""
        producer = self._producer
        if producer is None:
            return self.put_off()
        share = _SHARE * self._suspects.waited_seconds()
        ends = timing.Deadline(min(share, _ALONE_SECONDS) if beside_others else _ALONE_SECONDS)
        outcomes: list[Outcome] = []
        tried = set[TopicPartition]()
        # In any case as often as it takes to find a partition that refuses everything.
        for tries in count():
            late = tries >= REFUSALS_MAX and ends.passed()
            front = [] if late or producer.broken else self._front()
            if not front:
                break
            tried.update(message.topic_partition for message in front)
            outcomes += self._send(producer, front)
        self._hold_refusing(tried)
        self._suspects.trial_over()
        return [*outcomes, *self.put_off()]

    def _front(self) -> list[Suspected]:
        """Return the first message of each partition; what only stood behind suspects waits."""
        return [
            waiting[0]
            for topic_partition, waiting in self._waiting.items()
            if waiting
            and self._suspects.includes(waiting[0].row, topic_partition)
            and not self._routing.holds.covers(topic_partition)
        ]

    def _send(self, producer: GaplessProducer, front: Sequence[Suspected]) -> list[Outcome]:
        for message in front:
            own = producer.partition(message.topic_partition, message.partition.max_bytes)
            producer.send(own, message.row, message.value, message.headers, message.timestamp_ms)
            self._waiting[message.topic_partition].popleft()
        while producer.in_flight and not producer.abandoned:
            producer.flush()
            self._watch(producer)
        delivered, failed = producer.take()
        sent = {message.row.id: message for message in front}
        outcomes = [self._acquit(sent.pop(row.id)) for row in delivered]
        outcomes += [self._judge(sent.pop(failure.row.id), failure) for failure in failed]
        outcomes += [self._give_up(message) for message in sent.values()]
        return outcomes

    def _acquit(self, message: Suspected) -> Outcome:
        self._suspects.acquit(message.row, message.topic_partition)
        self._routing.delivered([message.topic_partition])
        return Delivered([message.row])

    def _judge(self, message: Suspected, failure: Failure) -> Outcome:
        outcome = self._failures.outcome(failure, alone=True)
        if not isinstance(outcome, Rejected):
            # Or the next one would overtake it.
            self._leave(message.topic_partition)
        elif self._block_keys and message.row.key is not None:
            self._leave(message.topic_partition, message.row.key)
        return outcome

    def _give_up(self, message: Suspected) -> Outcome:
        self._leave(message.topic_partition)
        return Undelivered([message.row], Reason.ABANDONED)

    def _leave(self, topic_partition: TopicPartition, key: str | None = None) -> None:
        """Leave the messages of *topic_partition*, or those with *key*, to the next lease."""
        waiting = self._waiting[topic_partition]
        self._put_off += [m.row for m in waiting if key in {None, m.row.key}]
        self._waiting[topic_partition] = deque(m for m in waiting if key not in {None, m.row.key})

    def _hold_refusing(self, tried: Collection[TopicPartition]) -> None:
        """Put what refuses everything on hold; as a whole, a topic that does so everywhere."""
        for topic_partition in tried:
            if why := self._suspects.refusal(topic_partition):
                topic, partitions = topic_partition.topic, topic_partition.partitions
                everywhere = all(
                    self._suspects.refusal(TopicPartition(topic, number, partitions))
                    for number in range(partitions)
                )
                self._routing.hold(TopicPartition(topic) if everywhere else topic_partition, why)
