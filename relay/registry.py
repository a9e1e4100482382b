"""Registry of metrics, whose every series names its outbox."""

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import RestrictedRegistry

LABEL: Final = "outbox"


class OutboxRegistry(CollectorRegistry):
    """Registry that adds the label `outbox` to every series, those of the process included.

    So two outboxes in one namespace do not mix. Without a name there is no label.
    """

    def __init__(self, outbox: str = "") -> None:
        super().__init__()
        self._outbox = outbox

    def collect(self) -> Iterable[Metric]:
        """Return all metrics, labelled."""
        return _labelled(super().collect(), self._outbox)

    def restricted_registry(self, names: Iterable[str]) -> RestrictedRegistry:
        """Return a registry of the metrics with these *names* alone, as a scrape may ask for."""
        return _Restricted(names, self, self._outbox)


class _Restricted(RestrictedRegistry):
    def __init__(self, names: Iterable[str], registry: CollectorRegistry, outbox: str) -> None:
        super().__init__(names, registry)
        self._outbox = outbox

    def collect(self) -> Iterable[Metric]:
        return _labelled(super().collect(), self._outbox)


def _labelled(metrics: Iterable[Metric], outbox: str) -> Iterator[Metric]:
    for metric in metrics:
        shown = copy(metric)
        if outbox:
            shown.samples = [
                sample._replace(labels={LABEL: outbox, **sample.labels})
                for sample in metric.samples
            ]
        yield shown
