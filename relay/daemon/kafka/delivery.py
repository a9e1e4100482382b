"""Publishing: rows in, an outcome for each row out, in order whatever happens.

Within a partition the rows that were delivered are always the oldest of those that were sent. So
whatever is left can be sent again by anybody, and no first appearance is ever out of order.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from confluent_kafka import KafkaException

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.error_scope import TOO_LARGE, ErrorScope, error_scope
from relay.daemon.kafka.producer import Failure, GaplessProducer, Headers, Partition
from relay.daemon.kafka.properties import producer_properties
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.topics import ANSWER_SECONDS
from relay.daemon.rows import Delivered, Outcome, Reason, Rejected, Row, Undelivered
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.timing import DatabaseClock, Deadline
from relay.formats import envelope, format_of
from relay.settings import Settings

# Of one record: the batch's own 61 bytes, lengths, timestamps, and the headers id and seq.
_RECORD_OVERHEAD_BYTES: Final = 256
# Below a limit by this much, key, name and further headers need not be counted.
_AMPLE_BYTES: Final = 16_384
# How often to look at the lease. That also takes in what the database has sent of the next chunk,
# which it could not go on with otherwise.
_WATCH_ROWS: Final = 200
_BATCH_BYTES: Final = 1_000_000
_LARGE_ADVICE: Final = "raise the topic's max.message.bytes and requeue the row, or discard it"


class BrokerUnavailableError(Exception):
    """No broker answered; says what the client heard last."""


class Publisher:
    """Sends rows and reports how each ended.

    One cycle: ready(), begin(), then send() and settled() in turn, finish(), settled().
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings.relay
        self._format = format_of(settings.events.stream_preset)
        self._metadata = envelope.metadata(self._format.versions(settings.versions))
        self._properties = producer_properties(settings.kafka, settings.relay.queue_bytes)
        self._routing = Routing(settings)
        self._metrics = metrics
        self._producer: GaplessProducer | None = None
        self._proven = False
        self._batch_bytes = 0
        self._stalled: list[TopicPartition] = []
        # Rows of a batch that Kafka refused: which of them it was shows when each goes alone.
        self._suspects: set[int] = set()
        self._alone: int | None = None
        self._blocked: set[str] = set()
        self._settled: list[Outcome] = []
        self._deadline = Deadline(0.0)
        self._alive: Callable[[], bool] = lambda: True
        self.holds = self._routing.holds
        self.clock = DatabaseClock()

    # -- between leases -----------------------------------------------------------------------

    def ready(self) -> None:
        """Make sure that Kafka can be reached, and look again at what is on hold.

        Raises:
            BrokerUnavailableError: it cannot; nothing should be claimed now.
        """
        if self._producer is None or self._producer.broken:
            self._renew("failure")
        producer = self._open_producer()
        producer.serve()
        try:
            if not self._proven:
                producer.describe(self._routing.default_topic, ANSWER_SECONDS)
            self._routing.topics.find(self._routing.default_topic, producer)
            for place in self._stalled:
                self._routing.hold(place, "it acknowledges nothing, although the broker answers")
            self._stalled.clear()
            self._routing.review_holds(producer)
        except KafkaException:
            self._proven = False
            producer.serve()
            raise BrokerUnavailableError(producer.last_error) from None
        self._proven = True
        if self._batch_bytes != self._wanted_batch_bytes():
            self._renew("batch_size")

    def begin(self, deadline: Deadline, alive: Callable[[], bool]) -> None:
        """Start a lease that must be over by *deadline* and is lost when *alive* says no."""
        self._deadline, self._alive = deadline, alive
        self._routing.begin()
        self._blocked.clear()
        self._settled.clear()

    @property
    def broken(self) -> bool:
        """Whether this lease cannot deliver anything more."""
        return self._open_producer().broken

    def verify(self) -> None:
        """Look whether the lease that is over failed at the broker as such.

        Raises:
            BrokerUnavailableError: it refused the producer; a new one would fare no better now.
        """
        if refusal := self._open_producer().refusal:
            raise BrokerUnavailableError(refusal)

    @property
    def in_flight(self) -> int:
        """Return the number of rows sent and not resolved."""
        return self._producer.open if self._producer else 0

    def close(self) -> None:
        """Drop the producer and what it still holds."""
        if self._producer is not None:
            self._producer.abandon()
            self._producer = None

    # -- within a lease -----------------------------------------------------------------------

    def send(self, rows: Sequence[Row]) -> None:
        """Hand *rows* over in their order. What cannot be sent is settled as what it is."""
        producer = self._open_producer()
        timestamp_ms = self.clock.now_ms()
        sent = 0
        try:
            for row in rows:
                if producer.broken or not self._sent(row, producer, timestamp_ms):
                    break
                sent += 1
                if sent % _WATCH_ROWS == 0:
                    producer.serve()
                    self._watch()
        except KafkaException:
            self._give_up()
        if sent < len(rows):
            self._settled.append(Undelivered(rows[sent:], Reason.ABANDONED))
        producer.serve()
        self._watch()

    def finish(self) -> None:
        """Wait until every row sent is resolved; give up what takes too long.

        After a failure too: requests under way for other partitions are answered as ever, and what
        is dropped before its answer may become a duplicate.
        """
        producer = self._open_producer()
        while producer.open and not producer.abandoned:
            producer.flush()
            self._watch()
        if producer.broken:
            producer.abandon()

    def settled(self) -> list[Outcome]:
        """Return the outcomes since the last call."""
        producer = self._open_producer()
        outcomes, self._settled = self._settled, []
        delivered, failures = producer.take()
        if delivered:
            outcomes.append(Delivered(delivered))
            self._suspects.difference_update(row.id for row in delivered if self._suspects)
            if self.holds:
                self.holds.delivered(producer.places())
        outcomes.extend(self._judged(failure) for failure in failures)
        return outcomes

    # -- one row ------------------------------------------------------------------------------

    def _sent(self, row: Row, producer: GaplessProducer, timestamp_ms: int) -> bool:
        """Return False if nothing more can be sent under this lease."""
        # By name, one after the other, they would cost a fiftieth of the throughput.
        id_, event_id, _, _, key, name, payload, metadata, own_headers, _, _ = row
        partition = self._routing.route(row, producer)
        if partition is None:
            self._settled.append(Undelivered([row], Reason.HELD))
            return True
        if self._blocked and key in self._blocked:
            self._settled.append(Undelivered([row], Reason.BLOCKED))
            return True
        value = self._format.envelope(name, payload, metadata or self._metadata)
        headers: Headers = [("id", event_id), ("seq", str(id_))]
        fault = None
        if (names := self._format.names) is not None and name not in names:
            fault = Reason.UNKNOWN_NAME, "existing consumers would stop at a message of this name"
        elif own_headers is not None or len(value) + _AMPLE_BYTES > partition.max_bytes:
            fault = _completed(headers, row, value, partition)
        if fault is not None:
            return self._reject(row, *fault)
        if self._suspects and id_ in self._suspects:
            return self._sent_alone(partition, row, value, headers, timestamp_ms)
        while not producer.send(partition, row, value, headers, timestamp_ms):
            producer.flush()
            self._watch()
            if producer.broken:
                return False
        return True

    def _sent_alone(
        self, partition: Partition, row: Row, value: bytes, headers: Headers, timestamp_ms: int
    ) -> bool:
        self.finish()
        producer = self._open_producer()
        if producer.broken:
            return False
        self._alone = row.id
        producer.send(partition, row, value, headers, timestamp_ms)
        self.finish()
        return True

    def _reject(self, row: Row, reason: Reason, error: str) -> bool:
        if self._settings.block_keys and row.key is not None:
            self._blocked.add(row.key)
        self._settled.append(Rejected(row, reason, error))
        return True

    def _judged(self, failure: Failure) -> Outcome:
        row, error, place = failure.row, failure.error, failure.partition.place
        match error_scope(error):
            case ErrorScope.ROW if row.id == self._alone:
                self._suspects.discard(row.id)
                too_large = error.code() in TOO_LARGE
                reason = Reason.TOO_LARGE if too_large else Reason.REFUSED
                advice = (
                    _LARGE_ADVICE if too_large else "requeue it when that is mended, or discard it"
                )
                return Rejected(row, reason, f"Kafka refused it alone: {error.str()}; {advice}")
            case ErrorScope.ROW:
                self._suspects.add(row.id)
                self._routing.topics.forget(place.topic, limit=True)
                return Undelivered([row], Reason.SUSPECT)
            case ErrorScope.TOPIC:
                self._routing.hold(TopicPartition(place.topic), error.str())
                return Undelivered([row], Reason.HELD)
            case ErrorScope.PARTITION:
                self._routing.hold(place, error.str())
                return Undelivered([row], Reason.HELD)
            case ErrorScope.BROKER:
                return Undelivered([row], Reason.ABANDONED)

    # -- what takes too long, and the producer ------------------------------------------------

    def _watch(self) -> None:
        producer = self._open_producer()
        if self._deadline.passed() or not self._alive():
            self._give_up()
        elif stalled := producer.stalled(self._settings.stall_seconds):
            self._stalled = stalled
            self._give_up()

    def _give_up(self) -> None:
        """End this lease; ready() finds out then whether the broker answers at all."""
        self._proven = False
        self._open_producer().abandon()

    def _renew(self, reason: str) -> None:
        if self._producer is not None:
            self._metrics.producer_rebuilds.labels(reason).inc()
        self.close()
        self._proven = False
        self._alone = None
        self._batch_bytes = self._wanted_batch_bytes()
        self._producer = GaplessProducer(self._properties | {"batch.size": self._batch_bytes})

    def _wanted_batch_bytes(self) -> int:
        return min(self._routing.topics.smallest_limit(), _BATCH_BYTES)

    def _open_producer(self) -> GaplessProducer:
        if self._producer is None:
            self._renew("start")
        assert self._producer is not None  # noqa: S101 - made just now
        return self._producer


def _completed(
    headers: Headers, row: Row, value: bytes, partition: Partition
) -> tuple[Reason, str] | None:
    """Add the row's own headers; return what keeps it from being sent, or None."""
    try:
        headers.extend(_own_headers(row.headers or "{}"))
    except ValueError as error:
        return Reason.UNREADABLE, str(error)
    size = (
        len(value)
        + len((row.key or "").encode())
        + sum(len(name) + len(text or b"") for name, text in headers)
        + _RECORD_OVERHEAD_BYTES
    )
    if size <= partition.max_bytes:
        return None
    return Reason.TOO_LARGE, (
        f"{size} bytes with the envelope, and topic {partition.topic} takes "
        f"{partition.max_bytes}; {_LARGE_ADVICE}"
    )


def _own_headers(headers: str) -> Iterator[tuple[str, str]]:
    """Yield name and text of each header; PostgreSQL stores more than that as JSON.

    Raises:
        ValueError: what is wrong with them.
    """
    try:
        found = json.loads(headers)
    except (ValueError, RecursionError):
        raise ValueError("its headers cannot be read: they must be text to text") from None
    for name, text in found.items():
        if not isinstance(text, str):
            raise ValueError(f"its header {name!r} is not text")  # noqa: TRY004 - of what is stored, not of a caller
        try:
            (name + text).encode()
        except UnicodeEncodeError:
            raise ValueError(f"its header {name!r} holds half a surrogate pair") from None
        yield name, text
