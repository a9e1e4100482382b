"""Unproven partitions: they were sent messages and never answered."""

from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaError

from relay.daemon.exclusions import TopicPartition

# Kafka may have the message all the same.
UNANSWERED: Final = frozenset({KafkaError._PURGE_INFLIGHT, KafkaError._MSG_TIMED_OUT})


class Unproven:
    """Partitions that get one row in a lease, until they acknowledge one.

    Whatever a partition takes without an answer is sent again, and is a copy then. So of an outage,
    however long, one lease is copied, and not one with every attempt.
    """

    def __init__(self) -> None:
        self._partitions = set[TopicPartition]()

    def add(self, topic_partition: TopicPartition) -> None:
        """Note that *topic_partition* left a message unanswered."""
        self._partitions.add(topic_partition)

    def acknowledged(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Note that *topic_partitions* answer again."""
        self._partitions.difference_update(topic_partitions)

    def admission(self) -> "Admission":
        """Return the admission of a lease that begins now."""
        return Admission(self._partitions)

    def __bool__(self) -> bool:
        return bool(self._partitions)


class Admission:
    """Admission of rows to one lease: of each unproven partition the first, and no other.

    Those behind it wait for the next lease even if it is acknowledged meanwhile: some of them were
    left out already, and must not be overtaken.
    """

    def __init__(self, unproven: Iterable[TopicPartition]) -> None:
        self._unproven = frozenset(unproven)
        self._sent = set[TopicPartition]()

    def limits(self, topic_partition: TopicPartition) -> bool:
        """Return whether *topic_partition* gets one row only."""
        return topic_partition in self._unproven

    def admits(self, topic_partition: TopicPartition) -> bool:
        """Return whether a row for *topic_partition* may be sent; take it as sent then."""
        if topic_partition not in self._unproven:
            return True
        if topic_partition in self._sent:
            return False
        self._sent.add(topic_partition)
        return True
