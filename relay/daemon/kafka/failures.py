"""Failures: the outcome of a row that Kafka refused, by the scope of the error."""

from typing import Final, assert_never

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.error_scope import TOO_LARGE, ErrorScope, error_scope
from relay.daemon.kafka.message import LARGE_ADVICE
from relay.daemon.kafka.producer import Failure
from relay.daemon.kafka.routing import Routing
from relay.daemon.rows import Outcome, Reason, Rejected, Undelivered

_REFUSED_ADVICE: Final = "requeue it when that is mended, or discard it"


class Failures:
    """Judges the failures of one lease.

    *suspects* outlive it: rows of a batch that Kafka refused. Which of them it was shows when each
    is sent alone.
    """

    def __init__(self, routing: Routing, suspects: set[int]) -> None:
        self._routing = routing
        self.suspects = suspects
        self.alone: int | None = None

    def outcome(self, failure: Failure) -> Outcome:
        """Return the outcome of the failed row; put on hold what cannot be written."""
        row, topic_partition = failure.row, failure.partition.topic_partition
        match error_scope(failure.error):
            case ErrorScope.ROW if row.id == self.alone:
                return self._rejected(failure)
            case ErrorScope.ROW:
                self.suspects.add(row.id)
                self._routing.topics.forget(topic_partition.topic, limit=True)
                return Undelivered([row], Reason.SUSPECT)
            case ErrorScope.TOPIC:
                self._routing.hold(TopicPartition(topic_partition.topic), failure.error.str())
                return Undelivered([row], Reason.HELD)
            case ErrorScope.PARTITION:
                self._routing.hold(topic_partition, failure.error.str())
                return Undelivered([row], Reason.HELD)
            case ErrorScope.BROKER:
                return Undelivered([row], Reason.ABANDONED)
            case scope:
                assert_never(scope)

    def _rejected(self, failure: Failure) -> Rejected:
        self.suspects.discard(failure.row.id)
        too_large = failure.error.code() in TOO_LARGE
        reason = Reason.TOO_LARGE if too_large else Reason.REFUSED
        advice = LARGE_ADVICE if too_large else _REFUSED_ADVICE
        text = f"Kafka refused it alone: {failure.error.str()}; {advice}"
        return Rejected(failure.row, reason, text)
