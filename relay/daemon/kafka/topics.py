"""Topics: partitions, leaders and size limits, as the broker reports them."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
)

from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.kafka.properties import Properties

log = logging.getLogger(__name__)

METADATA_SECONDS: Final = 60.0
LIMIT_SECONDS: Final = 600.0
ANSWER_SECONDS: Final = 5.0
# Kafka's default of max.message.bytes is 1,048,588; librdkafka's batch.size 1,000,000.
DEFAULT_LIMIT_BYTES: Final = 1_000_000
_LIMIT_PROPERTY: Final = "max.message.bytes"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that can be written."""

    name: str
    partitions: int
    leaderless: frozenset[int]
    max_bytes: int
    fresh_until: float


@dataclass(frozen=True, slots=True)
class UnwritableTopic:
    """A topic that cannot be written, and why."""

    name: str
    why: str
    fresh_until: float


class Topics:
    """Looks topics up, and remembers them for a while."""

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
        self._limits: dict[str, tuple[int, float]] = {}

    def find(self, name: str, producer: GaplessProducer) -> Topic | UnwritableTopic:
        """Return the topic; ask the broker if it is not known, or was asked for long ago.

        Raises:
            KafkaException: the broker does not answer.
        """
        known = self._known.get(name)
        if known is None or known.fresh_until < self._clock():
            known = self._known[name] = self._ask(name, producer)
        return known

    def forget(self, name: str, *, limit: bool = False) -> None:
        """Ask again at the next find(); for the size *limit* as well."""
        self._known.pop(name, None)
        if limit:
            self._limits.pop(name, None)

    def smallest_limit(self) -> int:
        """Return the smallest size limit of the topics seen so far, in bytes."""
        limits = [t.max_bytes for t in self._known.values() if isinstance(t, Topic)]
        return min(limits, default=self._given_limit or DEFAULT_LIMIT_BYTES)

    def _ask(self, name: str, producer: GaplessProducer) -> Topic | UnwritableTopic:
        metadata = producer.describe(name, ANSWER_SECONDS)
        fresh_until = self._clock() + METADATA_SECONDS
        if metadata.error is not None:
            return UnwritableTopic(name, metadata.error.str(), fresh_until)
        return Topic(
            name,
            partitions=len(metadata.partitions),
            leaderless=frozenset(p.id for p in metadata.partitions.values() if p.leader < 0),
            max_bytes=min(self._limit(name), self._buffer_bytes),
            fresh_until=fresh_until,
        )

    def _limit(self, name: str) -> int:
        if self._given_limit is not None:
            return self._given_limit
        known = self._limits.get(name)
        if known is None or known[1] < self._clock():
            known = self._limits[name] = (self._read_limit(name), self._clock() + LIMIT_SECONDS)
        return known[0]

    def _read_limit(self, name: str) -> int:
        resource = ConfigResource(ResourceType.TOPIC, name)
        admin = AdminClient({**self._properties, "log_level": 0})
        try:
            asked = admin.describe_configs([resource], request_timeout=ANSWER_SECONDS)
            return int(asked[resource].result()[_LIMIT_PROPERTY].value)
        except KafkaException as error:
            log.warning(
                "the size limit of topic %s cannot be read (%s): %d bytes are assumed; "
                "allow DescribeConfigs, or set RELAY_MAX_MESSAGE_BYTES",
                name, error.args[0].str(), DEFAULT_LIMIT_BYTES,
            )  # fmt: skip
            return DEFAULT_LIMIT_BYTES
