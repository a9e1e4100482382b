"""Publisher: Kafka as a worker uses it, from the first lease to the last."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, Protocol

from confluent_kafka import KafkaError, KafkaException

from relay.daemon.kafka.broker_errors import BrokerErrors
from relay.daemon.kafka.delivery import NONE_STALLED, Delivery, DeliveryLimits, Lifetime
from relay.daemon.kafka.failures import Failures
from relay.daemon.kafka.holds import Holds
from relay.daemon.kafka.message import Composer
from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.suspects import Suspects
from relay.daemon.kafka.topics import Topic
from relay.daemon.state import BrokerError
from relay.daemon.timing import Deadline
from relay.errors import BrokerUnavailableError

_BATCH_BYTES: Final = 1_000_000
_STALLED: Final = "it acknowledges nothing, although the broker answers"


class OpenProducer(Protocol):
    """Makes a producer."""

    def __call__(self, batch_bytes: int, errors: BrokerErrors, *, gapless: bool) -> GaplessProducer:
        """Return one that is not gapless only for messages that are sent one at a time."""


class Rebuild(StrEnum):
    """Reason why a producer was replaced: the labels of the metric."""

    FAILURE = "failure"
    BATCH_SIZE = "batch_size"


class Publisher:
    """Keeps a producer ready, and delivers the rows of one lease at a time.

    *open_producer* makes a producer whose batches have at most so many bytes, and which notes
    broker errors; *on_rebuild* is told of every producer that replaces another.
    """

    def __init__(
        self,
        routing: Routing,
        composer: Composer,
        limits: DeliveryLimits,
        open_producer: OpenProducer,
        on_rebuild: Callable[[Rebuild], None],
    ) -> None:
        self._routing = routing
        self._composer = composer
        self._limits = limits
        self._open_producer = open_producer
        self._on_rebuild = on_rebuild
        self._producer: GaplessProducer | None = None
        # Whether the broker has answered this producer.
        self._proven = False
        self._batch_bytes = 0
        # Of suspects: see Trial.
        self._trial: GaplessProducer | None = None
        self._suspects = Suspects()
        self._stalled = NONE_STALLED
        # On hold since they stalled, or lifted and not proven to work.
        self._silent = list(NONE_STALLED)
        self._errors = BrokerErrors()

    @property
    def broker_errors(self) -> Sequence[BrokerError]:
        """The last error of each broker that is not known to work again."""
        return self._errors.current

    @property
    def reachable(self) -> bool:
        """False while a partition stands still because its broker cannot be reached."""
        return not (self._silent and self._errors.current)

    @property
    def holds(self) -> Holds:
        """The topics and partitions on hold."""
        return self._routing.holds

    @property
    def topics(self) -> Sequence[Topic]:
        """The topics that can be written, as the broker last described them."""
        return self._routing.topics.writable

    @property
    def sendable_bytes(self) -> int:
        """The size of the largest message that any topic takes."""
        return self._routing.topics.largest_limit()

    @property
    def trial_is_due(self) -> bool:
        """True if the next lease is for a trial: a short one."""
        return self._suspects.trial_is_due

    @property
    def broken(self) -> bool:
        """True if the producer failed, or was abandoned, in the last delivery."""
        return self._producer is not None and self._producer.broken

    @property
    def in_flight(self) -> int:
        """The number of rows sent and not resolved."""
        return self._producer.in_flight if self._producer else 0

    def ready(self) -> None:
        """Make sure that Kafka can be reached, and look again at holds whose pause is over.

        Raises:
            BrokerUnavailableError: it cannot be reached; nothing should be claimed now.
        """
        producer = self._producer
        if producer is None or producer.broken:
            producer = self._renew(Rebuild.FAILURE)
        producer.poll()
        trial = self._new_trial()
        try:
            self._look(producer)
            if trial is not None:
                trial.prove(self._routing.default_topic)
        except KafkaException as error:
            self._proven = False
            producer.poll()
            if producer.login_refused:
                # Or it would go on logging in, until somebody locks the account.
                self.close()
            raise BrokerUnavailableError(str(self._errors) or error.args[0].str()) from None
        self._proven = True
        if self._batch_bytes != self._wanted_batch_bytes():
            self._renew(Rebuild.BATCH_SIZE)

    @contextmanager
    def delivery(self, deadline: Deadline, alive: Callable[[], bool]) -> Iterator[Delivery]:
        """Deliver the rows of a lease that ends at *deadline*, or when *alive* says no.

        If the block is left by an exception, the lease is lost: messages without acknowledgement
        are dropped at once, before another relay sends them.
        """
        producer = self._producer or self._renew(Rebuild.FAILURE)
        failures = Failures(self._routing, self._suspects)
        lifetime = Lifetime(deadline, alive)
        delivery = Delivery(
            producer, self._routing, self._composer, failures, self._limits, lifetime,
            self._trial,
        )  # fmt: skip
        try:
            yield delivery
        except Exception:
            producer.abandon()
            if self._trial is not None:
                self._trial.abandon()
            raise
        finally:
            self._stalled = delivery.stalled
            self._silent = [tp for tp in self._silent if tp in self.holds]
            self._suspects.trial_is_due = delivery.broken and bool(self._suspects)
        if not (delivery.broken or self._silent):
            self._errors.clear()

    def raise_for_refusal(self) -> None:
        """Look whether the broker refused the producer as such in the delivery that is over.

        Raises:
            BrokerUnavailableError: it did; a new producer would fare no better now.
        """
        if self._producer is not None and self._producer.refusal:
            raise BrokerUnavailableError(self._producer.refusal)

    def close(self) -> None:
        """Drop the producers and their unacknowledged messages."""
        for producer in (self._producer, self._trial):
            if producer is not None:
                producer.close()
        self._producer = self._trial = None

    def _look(self, producer: GaplessProducer) -> None:
        default_topic = self._routing.default_topic
        if not self._proven:
            producer.prove(default_topic)
            self._errors.answered()
        elif producer.login_refused:
            raise KafkaException(KafkaError(KafkaError._AUTHENTICATION))
        self._routing.topics.known(default_topic)
        self._routing.refresh(producer)
        for topic_partition in self._stalled:
            why = f"{_STALLED}; {self._errors}" if self._errors.current else _STALLED
            self._routing.hold(topic_partition, why)
            self._silent.append(topic_partition)
        self._stalled = NONE_STALLED
        if self._routing.review_holds(producer) and self._suspects:
            self._suspects.trial_is_due = True

    def _renew(self, reason: Rebuild) -> GaplessProducer:
        if self._producer is not None:
            self._on_rebuild(reason)
        self.close()
        self._proven = False
        self._batch_bytes = self._wanted_batch_bytes()
        self._producer = self._open_producer(self._batch_bytes, self._errors, gapless=True)
        return self._producer

    def _new_trial(self) -> GaplessProducer | None:
        """Return a producer of suspects that has just been opened, if one was missing."""
        if self._trial is not None and (self._trial.broken or not self._suspects):
            self._trial.close()
            self._trial = None
        if self._trial is not None or not self._suspects:
            return None
        self._trial = self._open_producer(self._batch_bytes, self._errors, gapless=False)
        return self._trial

    def _wanted_batch_bytes(self) -> int:
        return min(self._routing.topics.smallest_limit(), _BATCH_BYTES)
