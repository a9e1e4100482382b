"""Row filter: leaves rows on hold out of a query, and says where it starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.postgres.arrays import array
from relay.settings.preset import Partitioner


@dataclass(frozen=True, slots=True)
class Destination:
    """Destination of rows: the topic of those without one, and the partitioner of keys."""

    topic: str
    partitioner: Partitioner


class RowFilter:
    """Leaves out what is on hold, and *unsettled* rows, which relays are done with.

    *beside*: transaction ids of writers that stay open; a statement for which they all are open
    starts at the resume positions. Fills in the fragments of a statement, and their parameters.
    """

    def __init__(
        self,
        destination: Destination,
        exclusions: Exclusions,
        unsettled: Mapping[int, str] | None = None,
        beside: Sequence[str] = (),
    ) -> None:
        self._exclusions = exclusions
        self._unsettled = unsettled or {}
        self._beside = beside
        partitions = exclusions.partitions
        self.parameters = {
            "topic": destination.topic,
            "partitioner": destination.partitioner,
            "held_topics": list(exclusions.topics),
            "held_partition_topics": [tp.topic for tp in partitions],
            "held_partitions": [tp.partition for tp in partitions],
            "held_partition_counts": [tp.partitions for tp in partitions],
            "unsettled": array(self._unsettled),
            "unsettled_events": array(self._unsettled.values()),
            "beside": array(beside),
        }

    @property
    def passes_all(self) -> bool:
        """True where there is nothing to leave out."""
        return not self._unsettled and self._exclusions == Exclusions()

    def applied_to(self, statement: str, *, blocked: bool = False) -> str:
        """Return *statement* with the filter, and with that of *blocked* keys."""
        return queries.with_exclusions(
            statement,
            topics=bool(self._exclusions.topics),
            partitions=bool(self._exclusions.partitions),
            unsettled=bool(self._unsettled),
            resumed=bool(self._beside),
            blocked=blocked,
        )
