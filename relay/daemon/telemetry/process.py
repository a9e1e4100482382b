"""Instrumentation of the process and of the sampler."""

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from relay.daemon.figures import Figures, Flag
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.telemetry.topic_labels import OTHER_TOPICS

log = logging.getLogger(__name__)

# Beyond this age, what a sample found says nothing of the present. Shorter outages leave an alert
# that waits for its time undisturbed.
_LASTS_SECONDS: Final = 60.0


class ProcessInstrumentation:
    """The state of the whole process as metrics. For one thread."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics.process
        self._topic_label = metrics.topic_label
        self._topics_on_hold: set[str] = set()
        self._flag = FlagInstrumentation(metrics)
        self._failing_brokers: set[str] = set()

    def streaming(self, *, enabled: bool) -> None:
        """Show whether event streaming is switched on."""
        self._metrics.enabled.set(enabled)

    def holds(self, topics: Iterable[str]) -> None:
        """Show the number of holds by topic; *topics* names the topic of each hold."""
        shown = Counter(map(self._topic_label, topics))
        # Not cleared first: a scrape in between would see no hold at all.
        for ended in self._topics_on_hold - shown.keys():
            self._metrics.holds.remove(ended)
        self._topics_on_hold = set(shown)
        for label, count in shown.items():
            self._metrics.holds.labels(label).set(count)

    def flag(self, flag: Flag) -> None:
        """Show, and warn of, relays of this outbox that ENABLE_EVENT_STREAMING tells otherwise."""
        self._flag.seen(flag)

    def failing_brokers(self, addresses: set[str]) -> None:
        """Show the brokers that cannot be reached, or refuse the relay."""
        for ended in self._failing_brokers - addresses:
            self._metrics.broker_failing.remove(ended)
        self._failing_brokers = addresses
        for address in addresses:
            self._metrics.broker_failing.labels(address).set(1)


class FlagInstrumentation:
    """The flag of other relays as a metric, and as a warning whenever that changes."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics.process
        self._others: tuple[str, ...] = ()

    def seen(self, flag: Flag) -> None:
        """Show the relays that are told otherwise."""
        self._metrics.flag_differs.set(len(flag.others))
        if flag.others and flag.others != self._others:
            here, there = ("on", "off") if flag.streaming else ("off", "on")
            log.warning(
                "ENABLE_EVENT_STREAMING is %s here, and %s at %s: the outbox goes on being written "
                "and relayed where it is on. Set it alike for all relays of this outbox",
                here, there, ", ".join(flag.others),
            )  # fmt: skip
        self._others = flag.others


class SamplerInstrumentation:
    """Samples of the outbox as metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics.outbox
        self._published = metrics.deliveries.published
        self._flag = FlagInstrumentation(metrics)
        self._sampled_at = time.monotonic()
        self._left_behind = 0

    def published(self) -> dict[str, int]:
        """Return the rows of this process that Kafka acknowledged, by topic."""
        return {
            sample.labels["topic"]: int(sample.value)
            for metric in self._published.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["topic"] != OTHER_TOPICS
        }

    def sampled(self, figures: Figures) -> None:
        """Show one sample."""
        self._metrics.lag_seconds.set(figures.lag_seconds)
        self._metrics.pending.set(figures.pending)
        self._metrics.held_rows.set(figures.held)
        self._metrics.paused_rows.set(figures.paused)
        self._metrics.paused_shards.set(figures.paused_shards)
        self._metrics.parked_rows.set(figures.parked)
        self._metrics.dead_tuples.set(figures.dead_tuples)
        self._metrics.bytes.set(figures.bytes)
        self._metrics.oldest_writer_seconds.set(figures.oldest_writer_seconds)
        self._metrics.xmin_age_seconds.set(figures.xmin_age_seconds)
        self._metrics.xmin_age_transactions.set(figures.xmin_age_transactions)
        self._metrics.left_behind_rows.set(figures.left_behind)
        if figures.left_behind and not self._left_behind:
            log.warning(
                "%d rows wait in a table that was the outbox once, where no relay looks: "
                "`relay doctor` names it",
                figures.left_behind,
            )
        self._left_behind = figures.left_behind
        self._metrics.sampled.set_to_current_time()
        self._sampled_at = time.monotonic()

    def missed(self, ids: Collection[int]) -> None:
        """Count and log pending rows below a low watermark."""
        self._metrics.below_watermark.inc(len(ids))
        log.warning(
            "%d rows waited below the low watermark, where relays do not look, the oldest with id "
            "%d: ids came back by COPY, by setval() or out of a sequence cache; relays look from "
            "the beginning again",
            len(ids), min(ids),
        )  # fmt: skip

    def signed(self, flag: Flag, drain_timeouts: int) -> None:
        """Show what the other relays of this outbox say of themselves."""
        self._flag.seen(flag)
        self._metrics.recent_drain_timeouts.set(drain_timeouts)

    def failed(self, *, outage: bool) -> None:
        """Count a sample that failed; forget the last figures, in an *outage* once they are old."""
        self._metrics.sample_failures.inc()
        if not outage or time.monotonic() - self._sampled_at > _LASTS_SECONDS:
            self._metrics.forget()
