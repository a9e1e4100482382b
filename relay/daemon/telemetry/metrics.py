"""Every metric of the relay, declared once; docs/metrics.md says how to read them."""

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from threading import Lock

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
from relay.database.schema import SCHEMA_VERSION

NAMESPACE = "outbox_relay"
OTHER_TOPICS = "other"
TOPIC_LABELS_MAX = 100

END_TO_END_SECONDS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60,
)  # fmt: skip
PUBLISH_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CLAIM_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
BATCH_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class TopicLabels:
    """Keeps the number of topic labels bounded, since writers choose the topics."""

    def __init__(self, limit: int = TOPIC_LABELS_MAX) -> None:
        self._limit = limit
        self._known: set[str] = set()
        self._lock = Lock()

    def __call__(self, topic: str) -> str:
        """Return the label for *topic*: its name, or "other" beyond the limit."""
        if topic in self._known:
            return topic
        with self._lock:
            if len(self._known) >= self._limit and topic not in self._known:
                return OTHER_TOPICS
            self._known.add(topic)
        return topic


class Metrics:
    """The metrics of one relay process, in a registry of their own. Thread-safe."""

    def __init__(self) -> None:
        # A second series for each counter, which says nothing that a scrape does not know.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.topic_label = TopicLabels()
        self._topics_on_hold: set[str] = set()
        self._declare_deliveries()
        self._declare_durations()
        self._declare_state()
        self._declare_samples()
        ProcessCollector(registry=self.registry)

    def _declare_deliveries(self) -> None:
        counter = partial(Counter, namespace=NAMESPACE, registry=self.registry)
        self.published = counter("published", "Rows that Kafka acknowledged.", ["topic"])
        self.failed = counter(
            "failed", "Attempts to publish a row that did not succeed.", ["topic", "reason"]
        )
        self.parked = counter(
            "parked", "Rows taken out of the way with their error.", ["topic", "reason"]
        )
        self.leases = counter("leases", "Leases by how they ended.", ["outcome"])
        self.producer_rebuilds = counter(
            "producer_rebuilds", "Kafka producers thrown away for a new one.", ["reason"]
        )
        self.drain_timeouts = counter(
            "drain_timeouts", "Stops that did not finish within the drain budget."
        )
        self.sample_failures = counter("sample_failures", "Samples of the outbox that failed.")

    def _declare_durations(self) -> None:
        histogram = partial(Histogram, namespace=NAMESPACE, registry=self.registry)
        self.publish_seconds = histogram(
            "publish_seconds",
            "From handing over the first row of a lease to its last acknowledgement.",
            buckets=PUBLISH_SECONDS,
        )
        self.claim_seconds = histogram(
            "claim_seconds", "From asking for shards to having them.", buckets=CLAIM_SECONDS
        )
        self.batch_rows = histogram("batch_rows", "Rows of one chunk.", buckets=BATCH_ROWS)
        self.end_to_end_seconds = BatchHistogram(
            f"{NAMESPACE}_end_to_end_seconds",
            "From writing a row to its acknowledgement by Kafka.",
            END_TO_END_SECONDS,
            self.registry,
        )

    def _declare_state(self) -> None:
        gauge = partial(Gauge, namespace=NAMESPACE, registry=self.registry)
        self.enabled = gauge("enabled", "1 while event streaming is switched on, else 0.")
        self.broker_up = gauge("broker_up", "1 while the Kafka brokers answer, else 0.")
        self.in_flight = gauge(
            "in_flight", "Rows handed to Kafka and not yet acknowledged.", ["worker"]
        )
        self.heartbeat = gauge(
            "heartbeat_timestamp_seconds", "Unix time of the worker's last round.", ["worker"]
        )
        self.last_publish = gauge(
            "last_publish_timestamp_seconds", "Unix time of the last acknowledgement by Kafka."
        )
        self.holds = gauge("holds", "Topics and partitions that are left alone.", ["topic"])
        self.build_info = Info(
            "build", "Versions of the relay.", namespace=NAMESPACE, registry=self.registry
        )
        self.build_info.info(
            {"version": version("outbox-relay"), "schema_version": str(SCHEMA_VERSION)}
        )

    def _declare_samples(self) -> None:
        gauge = partial(Gauge, namespace=NAMESPACE, registry=self.registry)
        self.lag_seconds = gauge("lag_seconds", "Age of the oldest pending row; 0 without one.")
        self.pending = gauge("pending", "Rows to be published, counted up to a limit.")
        self.parked_rows = gauge("parked_rows", "Rows that are parked, counted up to a limit.")
        self.outbox_dead_tuples = gauge(
            "outbox_dead_tuples", "Dead rows of the outbox table, as PostgreSQL estimates them."
        )
        self.xmin_age_seconds = gauge(
            "xmin_age_seconds", "Age of the oldest transaction that keeps dead rows from vacuum."
        )
        self.xmin_age_transactions = gauge(
            "xmin_age_transactions",
            "Transaction ids used since the oldest one that vacuum must spare.",
        )
        self.sampled = gauge(
            "sampled_timestamp_seconds", "Unix time of the last successful sample of the outbox."
        )

    def show_holds(self, holds: Mapping[str, int]) -> None:
        """Show the number of holds by topic, and 0 for every topic that has none any more."""
        shown: dict[str, int] = {}
        for topic, count in holds.items():
            label = self.topic_label(topic)
            shown[label] = shown.get(label, 0) + count
        # Not cleared first: a scrape in between would see no hold at all.
        for ended in self._topics_on_hold - shown.keys():
            self.holds.remove(ended)
        self._topics_on_hold = set(shown)
        for label, count in shown.items():
            self.holds.labels(label).set(count)
