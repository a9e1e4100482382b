"""Unproven partitions: since messages were left unanswered they have acknowledged none."""

from collections.abc import Callable, Container, Iterable
from typing import Final

from confluent_kafka import KafkaError

from relay.daemon.exclusions import TopicPartition

# Kafka may have the message all the same.
UNANSWERED: Final = frozenset({KafkaError._PURGE_INFLIGHT, KafkaError._MSG_TIMED_OUT})


class Unproven:
    """Partitions that get one row in a lease, until they acknowledge one.

    Whatever a partition takes without an answer is sent again, and is a copy then. A dead node has
    a part in more partitions than those that were sent something when it died: as soon as one falls
    silent all are unproven, until the silent ones have answered. So of an outage, however long, one
    lease is copied, and not one with every attempt.
    """

    def __init__(self) -> None:
        self._silent = set[TopicPartition]()
        # Since the last one fell silent.
        self._acknowledged = set[TopicPartition]()

    def add(self, topic_partition: TopicPartition) -> None:
        """Note that *topic_partition* left a message unanswered."""
        if topic_partition not in self._silent:
            self._silent.add(topic_partition)
            self._acknowledged.clear()

    def acknowledged(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Note that *topic_partitions* answer."""
        self._acknowledged.update(topic_partitions)
        self._silent -= self._acknowledged

    def forget(self, is_gone: Callable[[TopicPartition], bool]) -> None:
        """Expect no answer of partitions that are gone: it would never come."""
        self._silent = {tp for tp in self._silent if not is_gone(tp)}

    def admission(self) -> "Admission":
        """Return the admission of a lease that begins now."""
        return Admission(frozenset(self._acknowledged)) if self._silent else Admission(None)

    def __bool__(self) -> bool:
        return bool(self._silent)


class Admission:
    """Admission of rows to one lease: of each partition the first, but all of those that answer.

    Those behind it wait for the next lease even if it is acknowledged meanwhile: some of them were
    left out already, and must not be overtaken.
    """

    def __init__(self, answering: Container[TopicPartition] | None) -> None:
        # None: all partitions.
        self._answering = answering
        self._sent = set[TopicPartition]()

    def limits(self, topic_partition: TopicPartition) -> bool:
        """Return whether *topic_partition* gets one row only."""
        return self._answering is not None and topic_partition not in self._answering

    def admits(self, topic_partition: TopicPartition) -> bool:
        """Return whether a row for *topic_partition* may be sent; take it as sent then."""
        if not self.limits(topic_partition):
            return True
        if topic_partition in self._sent:
            return False
        self._sent.add(topic_partition)
        return True
