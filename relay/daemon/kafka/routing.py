"""Where a row goes: its topic and partition, unless they are on hold."""

import logging

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.holds import Holds
from relay.daemon.kafka.partitioner import partition
from relay.daemon.kafka.producer import GaplessProducer, Partition
from relay.daemon.kafka.properties import client_properties
from relay.daemon.kafka.topics import Missing, Topic, Topics
from relay.daemon.rows import Row
from relay.settings import Settings

log = logging.getLogger(__name__)

_REMEMBERED_KEYS = 65_536
_NO_LEADER = "the partition has no leader"


class Routing:
    """Finds partitions, and puts on hold what cannot be written."""

    def __init__(self, settings: Settings) -> None:
        relay = settings.relay
        self.default_topic = settings.kafka.event_stream_topic or ""
        self._partitioner = relay.partitioner
        self.topics = Topics(
            client_properties(settings.kafka), relay.max_message_bytes, relay.queue_bytes
        )
        self.holds = Holds(relay.backoff_max_seconds)
        self._remembered: dict[tuple[str | None, str | None], Partition] = {}

    def begin(self) -> None:
        """Start a lease: what was found for the last one may have changed."""
        self._remembered.clear()

    def route(self, row: Row, producer: GaplessProducer) -> Partition | None:
        """Return the partition of *row*; None if it must wait, because that is on hold.

        Raises:
            KafkaException: the broker does not answer a question about the topic.
        """
        known = self._remembered.get((row.topic, row.key))
        if known is not None:
            return known
        name = row.topic or self.default_topic
        topic = self.topics.find(name, producer)
        if isinstance(topic, Missing):
            self.hold(TopicPartition(name), topic.why)
            return None
        place = self._place(row, topic)
        if place.partition in topic.leaderless:
            self.hold(place, _NO_LEADER)
        if self.holds.covers(place):
            return None
        found = producer.partition(place, topic.max_bytes)
        if row.key is not None and len(self._remembered) < _REMEMBERED_KEYS:
            self._remembered[row.topic, row.key] = found
        return found

    def hold(self, place: TopicPartition, why: str) -> None:
        """Put *place* on hold, unless it is already."""
        if not self.holds.covers(place):
            self._hold_longer(place, why)

    def review_holds(self, producer: GaplessProducer) -> None:
        """Look again at what has been on hold for long enough.

        Raises:
            KafkaException: the broker does not answer.
        """
        for place in self.holds.due():
            self.topics.forget(place.topic)
            found = self.topics.find(place.topic, producer)
            if isinstance(found, Missing):
                self._hold_longer(place, found.why)
            elif place.partition in found.leaderless:
                self._hold_longer(place, _NO_LEADER)
            else:
                self.holds.lift(place)
                log.info("%s is tried again", place)

    def _hold_longer(self, place: TopicPartition, why: str) -> None:
        pause = self.holds.place(place)
        log.warning(
            "%s is on hold for %.1f s: %s; its rows wait, the others go on", place, pause, why,
            extra={"topic": place.topic, "partition": place.partition},
        )  # fmt: skip

    def _place(self, row: Row, topic: Topic) -> TopicPartition:
        # A row without a key has no order to keep; its event id spreads it, and always alike.
        key = row.event_id if row.key is None else row.key
        number = partition(self._partitioner, key, topic.partitions)
        return TopicPartition(topic.name, number, topic.partitions)
