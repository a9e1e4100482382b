"""Exclusions: topics and partitions that cannot be written for now; queries skip their rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """A topic, or one partition of it and the number of partitions that it has."""

    topic: str
    partition: int | None = None
    partitions: int = 0

    def __str__(self) -> str:
        return self.topic if self.partition is None else f"{self.topic} [{self.partition}]"


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Topics and partitions on hold."""

    topics: tuple[str, ...] = ()
    partitions: tuple[TopicPartition, ...] = ()
