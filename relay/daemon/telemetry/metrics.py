"""Every metric of the relay, declared once; docs/metrics.md explains how to read them."""

import math
from functools import partial
from importlib.metadata import version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from relay.daemon.telemetry.histogram import BatchHistogram
from relay.daemon.telemetry.topic_labels import TopicLabels
from relay.database.schema import SCHEMA_VERSION
from relay.registry import OutboxRegistry

NAMESPACE: Final = "outbox_relay"

END_TO_END_SECONDS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60,
)  # fmt: skip
PUBLISH_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CLAIM_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
BATCH_ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)

_counter = partial(Counter, namespace=NAMESPACE)
_gauge = partial(Gauge, namespace=NAMESPACE)
_histogram = partial(Histogram, namespace=NAMESPACE)


class Metrics:
    """The metrics of one relay process, in a registry of their own. Thread-safe.

    Every series has the name of the *outbox* as a label.
    """

    def __init__(self, outbox: str = "") -> None:
        # A second series for each counter, which says nothing that a scrape does not know.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry: CollectorRegistry = OutboxRegistry(outbox)
        self.topic_label = TopicLabels()
        self.deliveries = DeliveryMetrics(self.registry)
        self.leases = LeaseMetrics(self.registry)
        self.outbox = OutboxMetrics(self.registry)
        self.process = RelayProcessMetrics(self.registry)
        ProcessCollector(registry=self.registry)


class DeliveryMetrics:
    """Rows on their way to Kafka."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.published = _counter(
            "published", "Rows that Kafka acknowledged.", ["topic"], registry=registry
        )
        self.failed = _counter(
            "failed",
            "Attempts to publish a row that did not succeed.",
            ["topic", "reason"],
            registry=registry,
        )
        self.parked = _counter(
            "parked",
            "Rows taken out of the way with their error.",
            ["topic", "reason"],
            registry=registry,
        )
        self.possible_duplicates = _counter(
            "possible_duplicates",
            "Rows that Kafka acknowledged under a lost lease; another relay may send a copy.",
            registry=registry,
        )
        self.in_flight = _gauge(
            "in_flight",
            "Rows handed to Kafka and not yet acknowledged.",
            ["worker"],
            registry=registry,
        )
        self.rows_locked = _gauge(
            "rows_locked",
            "Rows that are done, and stay until somebody's transaction ends that has them locked.",
            ["worker"],
            registry=registry,
        )
        self.last_publish = _gauge(
            "last_publish_timestamp_seconds",
            "Unix time of the last acknowledgement by Kafka.",
            registry=registry,
        )
        self.end_to_end_seconds = BatchHistogram(
            f"{NAMESPACE}_end_to_end_seconds",
            "From writing a row to its acknowledgement by Kafka.",
            END_TO_END_SECONDS,
            registry,
        )


class LeaseMetrics:
    """Leases, and the steps of the loop."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = _counter("leases", "Leases by how they ended.", ["outcome"], registry=registry)
        self.deaths = _counter(
            "deaths",
            "Leases found to have ended without a commit: a relay died, or lost its connection.",
            registry=registry,
        )
        self.claim_seconds = _histogram(
            "claim_seconds",
            "From asking for shards to having them.",
            buckets=CLAIM_SECONDS,
            registry=registry,
        )
        self.publish_seconds = _histogram(
            "publish_seconds",
            "From handing over the first row of a lease to its last acknowledgement.",
            buckets=PUBLISH_SECONDS,
            registry=registry,
        )
        self.batch_rows = _histogram(
            "batch_rows", "Rows of one chunk.", buckets=BATCH_ROWS, registry=registry
        )
        self.doorbell_active = _gauge(
            "doorbell_active",
            "1 while the worker sleeps until a writer rings, 0 while it polls.",
            ["worker"],
            registry=registry,
        )
        self.wake_up_switches = _counter(
            "wake_up_switches",
            "Changes between the doorbell and polling.",
            ["worker"],
            registry=registry,
        )
        self.doorbell_test_failures = _counter(
            "doorbell_test_failures",
            "Self-tests of the doorbell that heard nothing.",
            ["worker"],
            registry=registry,
        )
        self.heartbeat = _gauge(
            "heartbeat_timestamp_seconds",
            "Unix time of the worker's last round.",
            ["worker"],
            registry=registry,
        )


class OutboxMetrics:
    """Samples of the outbox: NaN until the first one, and once the last one is old."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(_gauge, registry=registry)
        self.lag_seconds = gauge(
            "lag_seconds", "Age of the oldest row that nothing holds back; 0 without one."
        )
        self.left_behind_rows = gauge(
            "left_behind_rows",
            "Rows of a table that was the outbox once, where no relay looks; the lag counts them.",
        )
        self.pending = gauge("pending", "Rows to be published that nothing holds back.")
        self.held_rows = gauge(
            "held_rows",
            "Rows of topics and partitions on hold, and with RELAY_BLOCK_KEYS of blocked keys.",
        )
        self.paused_rows = gauge("paused_rows", "Rows of paused shards.")
        self.paused_shards = gauge("paused_shards", "Shards that an operator paused, of 64.")
        self.parked_rows = gauge("parked_rows", "Rows that are parked, counted up to a limit.")
        self.dead_tuples = gauge(
            "outbox_dead_tuples", "Dead rows of the outbox table, as PostgreSQL estimates them."
        )
        self.bytes = gauge("outbox_bytes", "Size of the outbox table on disk, with its indexes.")
        self.oldest_writer_seconds = gauge(
            "oldest_writer_seconds",
            "Age of the oldest open transaction that wrote to the outbox, as far as it was seen.",
        )
        self.xmin_age_seconds = gauge(
            "xmin_age_seconds", "Age of the oldest transaction that keeps dead rows from vacuum."
        )
        self.xmin_age_transactions = gauge(
            "xmin_age_transactions",
            "Transaction ids used since the oldest one that vacuum must spare.",
        )
        self.below_watermark = _counter(
            "rows_below_watermark",
            "Rows found where no relay looks, and then delivered.",
            registry=registry,
        )
        self.recent_drain_timeouts = gauge(
            "recent_drain_timeouts",
            "Relays of this outbox that ended within the last hour with a lease under way.",
        )
        self.sampled = gauge(
            "sampled_timestamp_seconds",
            "Unix time of the last successful sample of the outbox; 0 before the first one.",
        )
        self.sample_failures = _counter(
            "sample_failures", "Samples of the outbox that failed.", registry=registry
        )
        self.forget()

    def forget(self) -> None:
        """Show every figure as unknown, since 0 would say that nothing waits."""
        for figure in (
            self.lag_seconds, self.pending, self.held_rows, self.paused_rows, self.paused_shards,
            self.parked_rows, self.dead_tuples, self.bytes, self.oldest_writer_seconds,
            self.xmin_age_seconds, self.xmin_age_transactions, self.left_behind_rows,
        ):  # fmt: skip
            figure.set(math.nan)


class RelayProcessMetrics:
    """The relay process: what it is, and its way to Kafka."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(_gauge, registry=registry)
        self.enabled = gauge("enabled", "1 while event streaming is switched on, else 0.")
        self.flag_differs = gauge(
            "flag_differs",
            "Relays of this outbox with another ENABLE_EVENT_STREAMING than this one.",
        )
        self.broker_up = gauge("broker_up", "1 while every Kafka broker needed answers, else 0.")
        self.broker_failing = gauge(
            "broker_failing",
            "1 for each broker address that cannot be reached, or refuses the relay.",
            ["broker"],
        )
        self.holds = gauge("holds", "Topics and partitions that are left alone.", ["topic"])
        self.producer_rebuilds = _counter(
            "producer_rebuilds",
            "Kafka producers thrown away for a new one.",
            ["reason"],
            registry=registry,
        )
        self.build_info = Info(
            "build", "Versions of the relay.", namespace=NAMESPACE, registry=registry
        )
        self.build_info.info(
            {"version": version("outbox-relay"), "schema_version": str(SCHEMA_VERSION)}
        )
