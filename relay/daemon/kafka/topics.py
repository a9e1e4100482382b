"""Topics: partitions, leaders and size limits, as the broker reports them."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
)

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.kafka.properties import Properties
from relay.daemon.timing import Deadline

log = logging.getLogger(__name__)

METADATA_SECONDS: Final = 60.0
LIMIT_SECONDS: Final = 600.0
# Of all questions of one refresh together, and of that for the limits.
ANSWER_SECONDS: Final = 5.0
LIMIT_ANSWER_SECONDS: Final = 2.0
# Kafka's default of max.message.bytes is 1,048,588; librdkafka's batch.size 1,000,000.
DEFAULT_LIMIT_BYTES: Final = 1_000_000
_LIMIT_PROPERTY: Final = "max.message.bytes"
_UNANSWERED: Final = frozenset({
    KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError.REQUEST_TIMED_OUT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that can be written."""

    name: str
    partitions: int
    leaderless: frozenset[int]
    max_bytes: int
    fresh_until: float

    def as_json(self) -> dict[str, str | int]:
        """Return the topic as it stands in outbox_relay."""
        return {"topic": self.name, "partitions": self.partitions, "max_bytes": self.max_bytes}


@dataclass(frozen=True, slots=True)
class UnwritableTopic:
    """A topic that cannot be written, and why."""

    name: str
    why: str
    fresh_until: float


class Topics:
    """Looks topics up between leases, and remembers them for a while."""

    def __init__(
        self,
        properties: Properties,
        max_message_bytes: int | None,
        buffer_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._properties = properties
        self._given_limit = max_message_bytes
        self._buffer_bytes = buffer_bytes
        self._clock = clock
        self._known: dict[str, Topic | UnwritableTopic] = {}
        # For other threads: replaced, and never changed.
        self.writable: Sequence[Topic] = ()
        self._limits: dict[str, tuple[int, float]] = {}
        # Asked for in a lease.
        self._wanted: set[str] = set()
        self._refresh_at = 0.0
        self._limits_unanswered_until = 0.0

    def known(self, name: str) -> Topic | UnwritableTopic | None:
        """Return the topic, None if it has not been asked for: the next refresh() does."""
        known = self._known.get(name)
        if known is None:
            self._wanted.add(name)
        return known

    def find(self, name: str, producer: GaplessProducer) -> Topic | UnwritableTopic:
        """Return the topic; ask the broker if it is not known, or was asked for long ago.

        Raises:
            KafkaException: the broker does not answer.
        """
        self.known(name)
        self.refresh(producer)
        return self._known[name]

    def refresh(self, producer: GaplessProducer) -> list[UnwritableTopic]:
        """Ask for topics that are wanted, or were asked for long ago; return the unwritable ones.

        Raises:
            KafkaException: the broker does not answer.
        """
        now = self._clock()
        if not self._wanted and now < self._refresh_at:
            return []
        old = {name for name, topic in self._known.items() if topic.fresh_until <= now}
        asked = self._ask(sorted(self._wanted | old), producer)
        self._known.update(asked)
        self.writable = tuple(each for each in self._known.values() if isinstance(each, Topic))
        self._wanted.clear()
        self._refresh_at = min(topic.fresh_until for topic in self._known.values())
        return [topic for topic in asked.values() if isinstance(topic, UnwritableTopic)]

    def gone(self, topic_partition: TopicPartition) -> bool:
        """Return whether the topic is known to have another number of partitions now.

        False while it cannot be written: in an outage a broker may know less than there is.
        """
        topic = self._known.get(topic_partition.topic)
        return isinstance(topic, Topic) and topic.partitions != topic_partition.partitions

    def forget(self, name: str, *, limit: bool = False) -> None:
        """Ask again at the next find(); for the size *limit* as well."""
        self._known.pop(name, None)
        if limit:
            self._limits.pop(name, None)

    def smallest_limit(self) -> int:
        """Return the smallest size limit of the topics seen so far, in bytes."""
        limits = [t.max_bytes for t in self._known.values() if isinstance(t, Topic)]
        return min(limits, default=self._given_limit or DEFAULT_LIMIT_BYTES)

    def largest_limit(self) -> int:
        """Return the largest size limit of the topics seen so far, in bytes."""
        limits = [t.max_bytes for t in self._known.values() if isinstance(t, Topic)]
        return max(limits, default=self._given_limit or DEFAULT_LIMIT_BYTES)

    def _ask(
        self, names: Sequence[str], producer: GaplessProducer
    ) -> dict[str, Topic | UnwritableTopic]:
        deadline = Deadline(ANSWER_SECONDS)
        found = {name: producer.describe(name, max(0.1, deadline.left())) for name in names}
        limits = self._limits_of([name for name in names if found[name].error is None])
        fresh_until = self._clock() + METADATA_SECONDS
        return {
            name: UnwritableTopic(name, metadata.error.str(), fresh_until)
            if metadata.error is not None
            else Topic(
                name,
                partitions=len(metadata.partitions),
                leaderless=frozenset(p.id for p in metadata.partitions.values() if p.leader < 0),
                max_bytes=min(limits[name], self._buffer_bytes),
                fresh_until=fresh_until,
            )
            for name, metadata in found.items()
        }

    def _limits_of(self, names: Sequence[str]) -> dict[str, int]:
        if self._given_limit is not None:
            return dict.fromkeys(names, self._given_limit)
        now = self._clock()
        unknown = [name for name in names if self._limits.get(name, (0, 0.0))[1] <= now]
        if unknown:
            read = self._read_limits(unknown)
            self._limits.update((name, (limit, now + LIMIT_SECONDS)) for name, limit in read)
        return {name: self._limits[name][0] for name in names}

    def _read_limits(self, names: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield the limit of each topic, asked for in one request, or the default."""
        if self._clock() < self._limits_unanswered_until:
            yield from ((name, DEFAULT_LIMIT_BYTES) for name in names)
            return
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        admin = AdminClient({**self._properties, "log_level": 0})
        asked = admin.describe_configs(resources, request_timeout=LIMIT_ANSWER_SECONDS)
        for resource in resources:
            try:
                yield resource.name, int(asked[resource].result()[_LIMIT_PROPERTY].value)
            except KafkaException as error:
                if error.args[0].code() in _UNANSWERED:
                    self._limits_unanswered_until = self._clock() + LIMIT_SECONDS
                yield resource.name, _assumed(resource.name, error.args[0].str())
            except (LookupError, TypeError, ValueError):
                yield resource.name, _assumed(resource.name, "it is not in the broker's answer")


def _assumed(name: str, why: str) -> int:
    log.warning(
        "the size limit of topic %s cannot be read (%s): %d bytes are assumed; "
        "allow DescribeConfigs, or set RELAY_MAX_MESSAGE_BYTES",
        name, why, DEFAULT_LIMIT_BYTES,
    )  # fmt: skip
    return DEFAULT_LIMIT_BYTES
