"""Exclusions: topics and partitions that cannot be written for now; queries skip their rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


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


def exclusions_of(holds: Iterable[Mapping[str, Any]]) -> Exclusions:
    """Return the exclusions of *holds* as they stand in outbox_relay."""
    held = {TopicPartition(hold["topic"], hold["partition"], hold["partitions"]) for hold in holds}
    return Exclusions(
        topics=tuple(sorted(tp.topic for tp in held if tp.partition is None)),
        partitions=tuple(tp for tp in held if tp.partition is not None),
    )
