"""Topics and partitions that cannot be written for now, and whose rows the queries skip."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """A topic, or one partition of it (of so many)."""

    topic: str
    partition: int | None = None
    partitions: int = 0

    def __str__(self) -> str:
        return self.topic if self.partition is None else f"{self.topic} [{self.partition}]"


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What the queries look past."""

    topics: tuple[str, ...] = ()
    partitions: tuple[TopicPartition, ...] = ()

    @property
    def parameters(self) -> Mapping[str, object]:
        """Return the parameters of the exclusion fragments."""
        return {
            "held_topics": list(self.topics),
            "held_partition_topics": [place.topic for place in self.partitions],
            "held_partitions": [place.partition for place in self.partitions],
            "held_partition_counts": [place.partitions for place in self.partitions],
        }
