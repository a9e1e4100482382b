"""What a worker tells the metrics and the log about its work."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import assert_never

from relay.daemon.rows import Delivered, Outcome, Reason, Rejected, Row, Undelivered, column
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.timing import DatabaseClock

log = logging.getLogger(__name__)

_TOPIC = column("topic")


class Instrumentation:
    """Keeps the metrics of one worker."""

    def __init__(self, metrics: Metrics, worker: str, topic: str, clock: DatabaseClock) -> None:
        self._metrics = metrics
        self._topic = topic
        self._in_flight = metrics.in_flight.labels(worker)
        self._heartbeat = metrics.heartbeat.labels(worker)
        self._clock = clock
        self.heard_at = time.monotonic()

    def beat(self) -> None:
        """Show that the loop goes round."""
        self.heard_at = time.monotonic()
        self._heartbeat.set_to_current_time()

    def broker(self, *, up: bool) -> None:
        """Show whether the brokers answer."""
        self._metrics.broker_up.set(up)

    def in_flight(self, rows: int) -> None:
        """Show the rows sent and not resolved."""
        self._in_flight.set(rows)

    def claimed(self, seconds: float) -> None:
        """Count the time of one claim."""
        self._metrics.claim_seconds.observe(seconds)

    def chunk(self, rows: int, in_flight: int) -> None:
        """Count one chunk; also a sign of life within a long lease."""
        self._metrics.batch_rows.observe(rows)
        self._in_flight.set(in_flight)
        self.beat()

    def published(self, seconds: float) -> None:
        """Count the time from the first row handed over to the last acknowledgement."""
        self._metrics.publish_seconds.observe(seconds)

    def lease_ended(self, outcome: str) -> None:
        """Count one lease."""
        self._metrics.leases.labels(outcome).inc()

    def killer(self, row: int) -> None:
        """Report a row parked for killing relays."""
        self._metrics.parked.labels("", Reason.KILLED_RELAY).inc()
        log.error("row %d was parked: relays died each time they published it", row)

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Count how rows ended, and log what was parked: id and reason, never the payload."""
        for outcome in outcomes:
            match outcome:
                case Delivered():
                    self._delivered(outcome.rows)
                case Rejected():
                    self._failed([outcome.row], outcome.reason)
                    self._parked(outcome)
                case Undelivered():
                    self._failed(outcome.rows, outcome.reason)
                case _:
                    assert_never(outcome)

    def _delivered(self, rows: Sequence[Row]) -> None:
        for topic, count in self._by_topic(rows):
            self._metrics.published.labels(topic).inc(count)
        self._metrics.last_publish.set_to_current_time()
        now_ms = self._clock.now_ms()
        self._metrics.end_to_end_seconds.observe_many(
            [max(0.0, now_ms - row.created_ms) / 1000 for row in rows]
        )

    def _failed(self, rows: Sequence[Row], reason: Reason) -> None:
        for topic, count in self._by_topic(rows):
            self._metrics.failed.labels(topic, reason).inc(count)

    def _by_topic(self, rows: Sequence[Row]) -> Iterator[tuple[str, int]]:
        for topic, count in Counter(map(_TOPIC, rows)).items():
            yield self._metrics.topic_label(topic or self._topic), count

    def _parked(self, rejected: Rejected) -> None:
        row = rejected.row
        self._metrics.parked.labels(self._label(row), rejected.reason).inc()
        log.error(
            "row %d was parked: %s", row.id, rejected.error,
            extra={"row": row.id, "event_id": row.event_id, "reason": str(rejected.reason)},
        )  # fmt: skip

    def _label(self, row: Row) -> str:
        return self._metrics.topic_label(row.topic or self._topic)
