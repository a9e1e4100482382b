"""Row filter: leaves rows of topics and partitions on hold out of a query."""

from dataclasses import dataclass

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.settings.preset import Partitioner


@dataclass(frozen=True, slots=True)
class Destination:
    """Destination of rows: the topic of those without one, and the partitioner of keys."""

    topic: str
    partitioner: Partitioner


class RowFilter:
    """Fills in the exclusion fragments of a statement, and their parameters."""

    def __init__(self, destination: Destination, exclusions: Exclusions) -> None:
        self._exclusions = exclusions
        partitions = exclusions.partitions
        self.parameters = {
            "topic": destination.topic,
            "partitioner": destination.partitioner,
            "held_topics": list(exclusions.topics),
            "held_partition_topics": [tp.topic for tp in partitions],
            "held_partitions": [tp.partition for tp in partitions],
            "held_partition_counts": [tp.partitions for tp in partitions],
        }

    def applied_to(self, statement: str, *, blocked: bool = False) -> str:
        """Return *statement* with the filter, and with that of *blocked* keys."""
        return queries.with_exclusions(
            statement,
            topics=bool(self._exclusions.topics),
            partitions=bool(self._exclusions.partitions),
            blocked=blocked,
        )
