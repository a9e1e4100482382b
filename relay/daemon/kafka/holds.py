"""Holds: topics and partitions that cannot be written for now."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from relay.daemon.exclusions import Exclusions, TopicPartition
from relay.daemon.state import Hold
from relay.settings.preset import Partitioner

FIRST_HOLD_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Hold:
    until: float
    pause: float
    shown: Hold
    lifted: bool = False


class Holds:
    """Topics and partitions on hold, each with a pause that doubles while retries fail."""

    def __init__(
        self,
        longest_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        partitioner: Partitioner = "murmur2",
    ) -> None:
        self._longest = longest_seconds
        self._clock = clock
        self._partitioner = partitioner
        self._holds: dict[TopicPartition, _Hold] = {}
        # Changes whenever rows become readable again: watermarks then start from the beginning.
        self.lifted_total = 0

    def add(self, topic_partition: TopicPartition, why: str = "") -> float:
        """Put *topic_partition* on hold; return the seconds until it is tried again."""
        known = self._holds.get(topic_partition)
        pause = min(known.pause * 2, self._longest) if known else FIRST_HOLD_SECONDS
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        now = time.time()
        since = known.shown.since if known else now
        shown = Hold(topic_partition, why, since, now + pause, self._partitioner)
        self._holds[topic_partition] = _Hold(self._clock() + pause, pause, shown)
        return pause

    def due(self) -> list[TopicPartition]:
        """Return the holds whose pause is over."""
        now = self._clock()
        return [tp for tp, hold in self._holds.items() if not hold.lifted and hold.until <= now]

    def lift(self, topic_partition: TopicPartition) -> None:
        """Let its rows be read again. The length of its pause is kept until one is delivered."""
        self._holds[topic_partition].lifted = True
        self.lifted_total += 1

    def forget(self, topic_partition: TopicPartition) -> None:
        """Forget a lifted hold to which nothing is ever delivered: its partition is gone."""
        del self._holds[topic_partition]

    def delivered(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Forget lifted holds of *topic_partitions*: they work again."""
        for topic_partition in topic_partitions:
            for key in (topic_partition, TopicPartition(topic_partition.topic)):
                if (hold := self._holds.get(key)) and hold.lifted:
                    del self._holds[key]

    def covers(self, topic_partition: TopicPartition) -> bool:
        """Return whether rows for *topic_partition* must wait."""
        return any(
            (hold := self._holds.get(key)) is not None and not hold.lifted
            for key in (topic_partition, TopicPartition(topic_partition.topic))
        )

    @property
    def active(self) -> tuple[TopicPartition, ...]:
        """All topics and partitions on hold."""
        return tuple(tp for tp, hold in self._holds.items() if not hold.lifted)

    @property
    def shown(self) -> tuple[Hold, ...]:
        """All that is on hold, with the reasons, for other threads."""
        return tuple(hold.shown for hold in self._holds.values() if not hold.lifted)

    def exclusions(self) -> Exclusions:
        """Return the topics and partitions whose rows the queries skip."""
        active = self.active
        return Exclusions(
            topics=tuple(sorted(tp.topic for tp in active if tp.partition is None)),
            partitions=tuple(tp for tp in active if tp.partition is not None),
        )

    def __contains__(self, topic_partition: TopicPartition) -> bool:
        return topic_partition in self._holds

    def __bool__(self) -> bool:
        return bool(self._holds)
