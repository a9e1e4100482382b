"""Instrumentation of one worker: its work as metrics and log lines."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cache
from typing import Protocol, assert_never

from relay.daemon.rows import Delivered, Outcome, Reason, Rejected, Row, Undelivered, column
from relay.daemon.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

_TOPIC = column("topic")


class Locked(Protocol):
    """A row that is done, and the process that has it locked, if that is known."""

    @property
    def id(self) -> int:
        """The id of the row."""

    @property
    def pid(self) -> int | None:
        """The process id of the locker."""

    @property
    def application(self) -> str | None:
        """The name that the locker gave itself."""


class LeaseEnd(StrEnum):
    """End of a lease: the labels of the metric."""

    DONE = "done"
    BROKEN = "broken"
    LOST = "lost"


class WorkerInstrumentation:
    """Counts, times and logs the work of one worker; *topic* is that of rows without one."""

    def __init__(self, metrics: Metrics, worker: str, topic: str) -> None:
        self._deliveries = metrics.deliveries
        self._leases = metrics.leases
        self._process = metrics.process
        self._topic_label = metrics.topic_label
        self._topic = topic
        self._in_flight = metrics.deliveries.in_flight.labels(worker)
        self._rows_locked = metrics.deliveries.rows_locked.labels(worker)
        self._locked_ids: set[int] = set()
        self._heartbeat = metrics.leases.heartbeat.labels(worker)
        self._doorbell_active = metrics.leases.doorbell_active.labels(worker)
        self._wake_up_switches = metrics.leases.wake_up_switches.labels(worker)
        self._doorbell_test_failures = metrics.leases.doorbell_test_failures.labels(worker)
        # Labels are looked up once: under a lock, and by text, it takes longer than to count.
        self._ended = {end: metrics.leases.ended.labels(end) for end in LeaseEnd}
        self._published = cache(metrics.deliveries.published.labels)
        self._failures = cache(metrics.deliveries.failed.labels)

    def beat(self) -> None:
        """Show that the loop goes round."""
        self._heartbeat.set_to_current_time()

    def wake_up(self, *, by_bell: bool) -> None:
        """Show how the worker learns of new rows from now on, and count the switch."""
        self._doorbell_active.set(by_bell)
        self._wake_up_switches.inc()

    def doorbell_test_failed(self) -> None:
        """Count a self-test of the doorbell that heard nothing."""
        self._doorbell_test_failures.inc()

    def broker(self, *, up: bool) -> None:
        """Show whether the brokers answer."""
        self._process.broker_up.set(up)

    def producer_rebuilt(self, reason: str) -> None:
        """Count a producer that replaces another."""
        self._process.producer_rebuilds.labels(reason).inc()

    def in_flight(self, rows: int) -> None:
        """Show the rows sent and not resolved."""
        self._in_flight.set(rows)

    def claimed(self, seconds: float) -> None:
        """Count the time of one claim."""
        self._leases.claim_seconds.observe(seconds)

    def chunk(self, rows: int, in_flight: int) -> None:
        """Count one chunk."""
        self._leases.batch_rows.observe(rows)
        self._in_flight.set(in_flight)

    def published(self, seconds: float) -> None:
        """Count the time from the first row handed over to the last acknowledgement."""
        self._leases.publish_seconds.observe(seconds)

    def lease_ended(self, end: LeaseEnd) -> None:
        """Count one lease."""
        self._ended[end].inc()

    def lease_lost(self, acknowledged: int) -> None:
        """Count a lost lease, and its rows that Kafka has all the same."""
        self.lease_ended(LeaseEnd.LOST)
        self._deliveries.possible_duplicates.inc(acknowledged)

    def deaths(self, shards: Sequence[int]) -> None:
        """Count, and warn of, a lease that ended without a commit."""
        self._leases.deaths.inc()
        log.warning(
            "a relay died, or lost its connection, on shards %s: they go on in small steps",
            sorted(shards),
        )

    def crashing_row_parked(self, row: int) -> None:
        """Count and log a row parked because relays died each time they published it."""
        self._deliveries.parked.labels("", Reason.KILLED_RELAY).inc()
        log.error("row %d was parked: relays died each time they published it", row)

    def unreadable(self, ids: Sequence[int]) -> None:
        """Count and log rows parked because a value of theirs cannot be read."""
        self._deliveries.parked.labels("", Reason.UNREADABLE).inc(len(ids))
        for id_ in ids:
            log.error("row %d was parked: a value of it cannot be read", id_)

    def kept(self, ids: Sequence[int]) -> None:
        """Count and log rows parked because PostgreSQL keeps them, though they are published."""
        self._deliveries.parked.labels("", Reason.UNDELETABLE).inc(len(ids))
        for id_ in ids:
            log.error("row %d was published and parked: PostgreSQL refuses to delete it", id_)

    def locked(self, rows: Sequence[Locked]) -> None:
        """Show rows that are done and stay for a lock, and warn of each once."""
        if not (rows or self._locked_ids):
            return
        ids = {row.id for row in rows}
        for row in rows:
            if row.id not in self._locked_ids:
                log.warning(
                    "row %d is done and cannot leave the table: %s has it locked; it leaves when "
                    "that transaction ends, and other rows go on",
                    row.id, f"process {row.pid} ({row.application})" if row.pid else "somebody",
                    extra={"row": row.id, "pid": row.pid, "application": row.application},
                )  # fmt: skip
        self._locked_ids = ids
        self._rows_locked.set(len(ids))

    def settled(self, outcomes: Sequence[Outcome], now_ms: int) -> None:
        """Count how rows ended, and log what was parked: id and reason, never the payload."""
        for outcome in outcomes:
            match outcome:
                case Delivered(rows):
                    self._delivered(rows, now_ms)
                case Rejected():
                    self._failed([outcome.row], outcome.reason)
                    self._parked(outcome)
                case Undelivered(rows, reason):
                    self._failed(rows, reason)
                case _:
                    assert_never(outcome)

    def _delivered(self, rows: Sequence[Row], now_ms: int) -> None:
        for topic, count in self._by_topic(rows):
            self._published(topic).inc(count)
        self._deliveries.last_publish.set_to_current_time()
        self._deliveries.end_to_end_seconds.observe_many(
            [max(0.0, now_ms - row.created_ms) / 1000 for row in rows]
        )

    def _failed(self, rows: Sequence[Row], reason: Reason) -> None:
        for topic, count in self._by_topic(rows):
            self._failures(topic, reason).inc(count)

    def _by_topic(self, rows: Sequence[Row]) -> Iterator[tuple[str, int]]:
        for topic, count in Counter(map(_TOPIC, rows)).items():
            yield self._topic_label(topic or self._topic), count

    def _parked(self, rejected: Rejected) -> None:
        row = rejected.row
        label = self._topic_label(row.topic or self._topic)
        self._deliveries.parked.labels(label, rejected.reason).inc()
        log.error(
            "row %d was parked: %s", row.id, rejected.error,
            extra={"row": row.id, "event_id": row.event_id, "reason": str(rejected.reason)},
        )  # fmt: skip
