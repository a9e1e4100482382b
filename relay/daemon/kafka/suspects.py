"""Suspects: rows of batches that Kafka refused, and partitions that refuse row after row."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError

from relay.daemon import timing
from relay.daemon.exclusions import TopicPartition
from relay.daemon.rows import Row

# So many refusals of one kind in a row are taken to be about the partition.
REFUSALS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class _Refusals:
    """Refusals of one kind in a row: the last error, and how many there were."""

    error: KafkaError
    count: int


class Suspects:
    """Suspects of one worker, over all its leases.

    Which row of a refused batch it was shows when each is sent alone. Until one is delivered, every
    row of that partition is doubted: where one was refused, so may be the next. So is every row of
    the topic's other partitions, until a trial shows whether they refuse as well.
    """

    def __init__(self) -> None:
        self._rows: set[int] = set()
        # With each, whether it refused something itself.
        self._doubted: dict[TopicPartition, bool] = {}
        self._refusals: dict[TopicPartition, _Refusals] = {}
        # The next lease should be short: after its trial, what refuses everything is on hold.
        self.trial_is_due = False
        # Since the first suspect, or the last trial.
        self._waiting_since = 0.0

    def __bool__(self) -> bool:
        return bool(self._rows or self._doubted)

    def suspect(self, row: Row, topic_partition: TopicPartition) -> None:
        """Note that *topic_partition* refused a batch with *row* in it."""
        if not self:
            self._waiting_since = timing.boot_seconds()
        self._rows.add(row.id)
        topic, partitions = topic_partition.topic, topic_partition.partitions
        for number in range(partitions):
            self._doubted.setdefault(TopicPartition(topic, number, partitions), False)
        self._doubted[topic_partition] = True

    def includes(self, row: Row, topic_partition: TopicPartition) -> bool:
        """Return whether *row* has to be sent alone."""
        return row.id in self._rows or topic_partition in self._doubted

    def delivered(self, rows: Iterable[Row]) -> None:
        """Note that Kafka has *rows*."""
        if self._rows:
            self._rows.difference_update([row.id for row in rows])

    def acquit(self, row: Row, topic_partition: TopicPartition) -> None:
        """Note that *topic_partition* took *row* alone."""
        self._rows.discard(row.id)
        self._doubted.pop(topic_partition, None)
        self._refusals.pop(topic_partition, None)

    def convict(self, row: Row, topic_partition: TopicPartition, error: KafkaError) -> None:
        """Note that *topic_partition* refused *row* alone."""
        self._rows.discard(row.id)
        self._doubted[topic_partition] = True
        last = self._refusals.get(topic_partition)
        count = last.count if last and last.error.code() == error.code() else 0
        self._refusals[topic_partition] = _Refusals(error, count + 1)

    def waited_seconds(self) -> float:
        """Return the time since the last trial, or since the first suspect was found."""
        return timing.boot_seconds() - self._waiting_since

    def trial_over(self) -> None:
        """Doubt no partition any more that refused nothing itself."""
        self._waiting_since = timing.boot_seconds()
        self._doubted = {tp: refused for tp, refused in self._doubted.items() if refused}

    def refusal(self, topic_partition: TopicPartition) -> str:
        """Return why *topic_partition* takes nothing; empty unless it refused many in a row."""
        found = self._refusals.get(topic_partition)
        if found is None or found.count < REFUSALS_MAX:
            return ""
        return f"{found.count} messages in a row were refused, each alone: {found.error.str()}"
