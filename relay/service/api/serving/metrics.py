"""Every metric of the REST API, declared once; docs/metrics.md says how to read them."""

import os
import time
from http import HTTPMethod
from pathlib import Path
from typing import Final

from prometheus_client import (
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from relay.registry import OutboxRegistry

NAMESPACE: Final = "outbox_api"
OTHER: Final = "other"

REQUEST_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_METHODS: Final = frozenset(HTTPMethod)


SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of the Prometheus client: the directory in which workers count together."""


class ApiMetrics:
    """The metrics of the API, in a registry of their own. Thread-safe.

    Workers count in files, so that whichever of them is asked answers for all. Every series has
    the name of the *outbox* as a label.
    """

    def __init__(self, outbox: str = "") -> None:
        # A second series for each counter, which says nothing that a scrape does not know.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._outbox = outbox
        self.registry = OutboxRegistry(outbox)
        self.requests = Counter(
            "requests",
            "Requests by their answer.",
            ["method", "route", "status"],
            namespace=NAMESPACE,
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=REQUEST_SECONDS,
            namespace=NAMESPACE,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "requests_in_flight",
            "Requests that wait for their answer.",
            namespace=NAMESPACE,
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Return the metrics as Prometheus reads them: of all workers, where there are several."""
        directory = os.environ.get(SHARED)
        if directory is None:
            return generate_latest(self.registry)
        _forget_dead_workers(Path(directory))
        registry = OutboxRegistry(self._outbox)
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _forget_dead_workers(directory: Path) -> None:
    """Drop what workers had in flight when they were killed; what they counted stays."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid, path=str(directory))  # type: ignore[no-untyped-call]


class Measured:
    """ASGI middleware that counts and times requests."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = time.perf_counter()
        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, noting)
            finally:
                self._note(scope, status, time.perf_counter() - begun)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # Clients choose methods and paths: only what we know becomes a label.
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = getattr(scope.get("route"), "path", OTHER)
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
