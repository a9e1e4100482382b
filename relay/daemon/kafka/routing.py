"""Routing: the topic and partition of each row, unless they are on hold."""

import logging
from collections.abc import Sequence
from sys import getsizeof
from typing import Final

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.holds import Holds
from relay.daemon.kafka.partitioner import partition
from relay.daemon.kafka.producer import GaplessProducer, Partition
from relay.daemon.kafka.topics import Topic, Topics, UnwritableTopic
from relay.daemon.kafka.unproven import Unproven
from relay.daemon.rows import Row
from relay.settings.preset import Partitioner

log = logging.getLogger(__name__)

# However long the keys are.
_REMEMBERED_BYTES: Final = 8 << 20
# Of a tuple and its place in a dict.
_ENTRY_BYTES: Final = 160
_NO_LEADER: Final = "the partition has no leader"


class Routing:
    """Topics, holds and unproven partitions, which outlive every producer and every lease."""

    def __init__(
        self, default_topic: str, partitioner: Partitioner, topics: Topics, holds: Holds
    ) -> None:
        self.default_topic = default_topic
        self.topics = topics
        self.holds = holds
        self.unproven = Unproven()
        self._partitioner = partitioner

    def routes(self, producer: GaplessProducer) -> "Routes":
        """Return the routes of one lease."""
        return Routes(self, producer)

    def hold(self, topic_partition: TopicPartition, why: str) -> None:
        """Put *topic_partition* on hold, unless it is already."""
        if not self.holds.covers(topic_partition):
            self._hold_longer(topic_partition, why)

    def acknowledged(self, producer: GaplessProducer) -> None:
        """Forget what is known against the partitions that *producer* had answers from."""
        if self.holds or self.unproven:
            self.delivered(producer.acknowledging())

    def delivered(self, topic_partitions: Sequence[TopicPartition]) -> None:
        """Forget what is known against *topic_partitions*: they take messages, and say so."""
        self.holds.delivered(topic_partitions)
        self.unproven.acknowledged(topic_partitions)

    def review_holds(self, producer: GaplessProducer) -> bool:
        """Look again at holds whose pause is over: lift them, or hold them longer.

        Returns whether one was lifted.

        Raises:
            KafkaException: the broker does not answer.
        """
        lifted_before = self.holds.lifted_total
        for topic_partition in self.holds.due():
            self.topics.forget(topic_partition.topic)
            topic = self.topics.find(topic_partition.topic, producer)
            if isinstance(topic, UnwritableTopic):
                self._hold_longer(topic_partition, topic.why)
            elif topic_partition.partition in topic.leaderless:
                self._hold_longer(topic_partition, _NO_LEADER)
            else:
                self.holds.lift(topic_partition)
                if topic_partition.partition is not None and self.topics.gone(topic_partition):
                    self.holds.forget(topic_partition)
                log.info("%s is tried again", topic_partition)
        return self.holds.lifted_total > lifted_before

    def refresh(self, producer: GaplessProducer) -> None:
        """Ask for topics, between leases: nothing is asked of a broker within one.

        Raises:
            KafkaException: the broker does not answer.
        """
        for topic in self.topics.refresh(producer):
            self.hold(TopicPartition(topic.name), topic.why)
        self.unproven.forget(self.topics.gone)

    def find(self, row: Row, producer: GaplessProducer) -> Partition | None:
        """Return the partition of *row*; None if it is on hold, or its topic not known yet."""
        name = row.topic or self.default_topic
        topic = self.topics.known(name)
        if topic is None:
            return None
        if isinstance(topic, UnwritableTopic):
            self.hold(TopicPartition(name), topic.why)
            return None
        topic_partition = self._topic_partition(row, topic)
        if topic_partition.partition in topic.leaderless:
            self.hold(topic_partition, _NO_LEADER)
        if self.holds.covers(topic_partition):
            return None
        return producer.partition(topic_partition, topic.max_bytes)

    def _topic_partition(self, row: Row, topic: Topic) -> TopicPartition:
        # A row without a key has no order to keep; its event id spreads it, and always alike.
        key = row.event_id if row.key is None else row.key
        number = partition(self._partitioner, key, topic.partitions)
        return TopicPartition(topic.name, number, topic.partitions)

    def _hold_longer(self, topic_partition: TopicPartition, why: str) -> None:
        pause = self.holds.add(topic_partition, why)
        log.warning(
            "%s is on hold for %.1f s: %s; its rows wait, the others go on",
            topic_partition, pause, why,
            extra={"topic": topic_partition.topic, "partition": topic_partition.partition},
        )  # fmt: skip


class Routes:
    """Routes of one lease: remembers the partition of each key, and which rows were admitted."""

    def __init__(self, routing: Routing, producer: GaplessProducer) -> None:
        self._routing = routing
        self._producer = producer
        self._admission = routing.unproven.admission()
        self._remembered: dict[tuple[str | None, str | None], Partition] = {}
        self._remembered_bytes = 0

    def find(self, row: Row) -> Partition | None:
        """Return the partition of *row*; None if the row has to wait.

        Its partition is on hold, or unproven and has its one row, or its topic is not known yet.
        """
        known = self._remembered.get((row.topic, row.key))
        if known is not None:
            return known
        found = self._routing.find(row, self._producer)
        if found is None or not self._admission.admits(found.topic_partition):
            return None
        if row.key is not None and not self._admission.limits(found.topic_partition):
            self._remember(row.topic, row.key, found)
        return found

    def forget(self) -> None:
        """Look every partition up anew: one of them is on hold since."""
        self._remembered.clear()
        self._remembered_bytes = 0

    def _remember(self, topic: str | None, key: str, partition: Partition) -> None:
        self._remembered_bytes += getsizeof(key) + _ENTRY_BYTES
        if self._remembered_bytes <= _REMEMBERED_BYTES:
            self._remembered[topic, key] = partition
