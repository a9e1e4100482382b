"""Failures: the outcome of a row that Kafka refused, by the scope of the error."""

from typing import Final, assert_never

from relay.daemon.exclusions import TopicPartition
from relay.daemon.kafka.error_scope import TOO_LARGE, ErrorScope, error_scope
from relay.daemon.kafka.message import LARGE_ADVICE
from relay.daemon.kafka.producer import Failure
from relay.daemon.kafka.routing import Routing
from relay.daemon.kafka.suspects import Suspects
from relay.daemon.kafka.unproven import UNANSWERED
from relay.daemon.rows import Outcome, Reason, Rejected, Undelivered

_REFUSED_ADVICE: Final = "requeue it when that is mended, or discard it"


class Failures:
    """Judges failures; of *suspects* it notes which are, and which proved to be at fault."""

    def __init__(self, routing: Routing, suspects: Suspects) -> None:
        self._routing = routing
        self.suspects = suspects

    def outcome(self, failure: Failure, *, alone: bool = False) -> Outcome:
        """Return the outcome of the failed row, which was in no batch if *alone*.

        Puts on hold what cannot be written.
        """
        row, topic_partition = failure.row, failure.partition.topic_partition
        match error_scope(failure.error):
            case ErrorScope.ROW if alone:
                return self._rejected(failure)
            case ErrorScope.ROW:
                self.suspects.suspect(row, topic_partition)
                if failure.error.code() in TOO_LARGE:
                    self._routing.topics.forget(topic_partition.topic, limit=True)
                return Undelivered([row], Reason.SUSPECT)
            case ErrorScope.TOPIC:
                self._routing.hold(TopicPartition(topic_partition.topic), failure.error.str())
                return Undelivered([row], Reason.HELD)
            case ErrorScope.PARTITION:
                self._routing.hold(topic_partition, failure.error.str())
                return Undelivered([row], Reason.HELD)
            case ErrorScope.BROKER:
                if failure.error.code() in UNANSWERED:
                    self._routing.unproven.add(topic_partition)
                return Undelivered([row], Reason.ABANDONED)
            case scope:
                assert_never(scope)

    def _rejected(self, failure: Failure) -> Rejected:
        row, topic_partition = failure.row, failure.partition.topic_partition
        self.suspects.convict(row, topic_partition, failure.error)
        too_large = failure.error.code() in TOO_LARGE
        reason = Reason.TOO_LARGE if too_large else Reason.REFUSED
        advice = LARGE_ADVICE if too_large else _REFUSED_ADVICE
        text = f"Kafka refused it alone: {failure.error.str()}; {advice}"
        return Rejected(row, reason, text)
