from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import add, sub
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class BatchHistogram(Collector):
    """A histogram that takes many values at once, for what is observed once a row.

    prometheus_client's own takes a lock for each value, which costs more than relaying the row.
    """

    def __init__(
        self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = (*sorted(buckets), float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        self._lock = Lock()
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.observe_many((value,))

    def observe_many(self, values: Iterable[float]) -> None:
        """Count every one of *values*."""
        values = sorted(values)
        # One search a bucket, not one a value.
        upto = [bisect_right(values, bound) for bound in self._bounds]
        with self._lock:
            self._sum += sum(values)
            self._counts = [*map(add, self._counts, map(sub, upto, [0, *upto]))]

    def describe(self) -> Iterable[Metric]:
        """Return the metric without values, as the registry asks for it."""
        return [HistogramMetricFamily(self._name, self._documentation)]

    def collect(self) -> Iterable[Metric]:
        """Return the metric with the values so far."""
        with self._lock:
            counts, total = tuple(self._counts), self._sum
        bounds = map(floatToGoString, self._bounds)
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        return [HistogramMetricFamily(self._name, self._documentation, buckets, total)]
