"""State of Kafka for other threads: holds and broker errors, as immutable values."""

from dataclasses import dataclass
from datetime import UTC, datetime

from relay.daemon.exclusions import TopicPartition
from relay.settings.preset import Partitioner


@dataclass(frozen=True, slots=True)
class Hold:
    """A topic or partition on hold: the reason, and Unix times of its first and next attempt."""

    topic_partition: TopicPartition
    why: str
    since: float
    next_try_at: float
    # Of keys: whoever counts the rows of a partition has to know it.
    partitioner: Partitioner = "murmur2"

    def as_json(self) -> dict[str, str | int | None]:
        """Return the hold as it stands in outbox_relay."""
        return {
            "topic": self.topic_partition.topic,
            "partition": self.topic_partition.partition,
            "partitions": self.topic_partition.partitions,
            "partitioner": self.partitioner,
            "why": self.why,
            "since": _moment(self.since),
            "next_try_at": _moment(self.next_try_at),
        }


@dataclass(frozen=True, slots=True)
class BrokerError:
    """Last error of a broker since it was last known to work; the address may be empty."""

    address: str
    text: str
    at: float

    def __str__(self) -> str:
        return f"{self.address}: {self.text}" if self.address else self.text

    def as_json(self) -> dict[str, str]:
        """Return the error as it stands in outbox_relay."""
        return {"address": self.address, "text": self.text, "at": _moment(self.at)}


def _moment(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds")
