"""One HTTP port for metrics and health. Its checks say None for "fine", or the reason."""

import contextlib
import logging
import selectors
import socket
import socketserver
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import HTTPServer
from threading import Lock
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import MetricsHandler

from relay.daemon.threads import WatchedThread
from relay.errors import ConfigurationError

Check = Callable[[], str | None]
# What socketserver calls a request: a connection, or a datagram with its socket.
Request = socket.socket | tuple[bytes, socket.socket]

# A client gets this long for its whole request; a scrape on the same machine takes milliseconds.
REQUEST_SECONDS = 10.0
CONNECTIONS_MAX = 32
# While requests are open, how often to look which ones are late.
LOOK_SECONDS = 0.5

PAGES = "/metrics  metrics for Prometheus\n/livez    liveness\n/readyz   readiness\n"

logger = logging.getLogger(__name__)


class HealthServer:
    """Serves /metrics, /livez and /readyz on one port, each request in a thread of its own.

    Port 0 takes a free one. `start` and `stop` may be called repeatedly, by one thread.
    """

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        liveness: Check,
        readiness: Check,
    ) -> None:
        self._host = host
        self._port = port
        self._handler = type(
            "Handler",
            (_Handler,),
            {"registry": registry, "checks": {"/livez": liveness, "/readyz": readiness}},
        )
        self._server: _Server | None = None
        self.thread: WatchedThread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on, or that was asked for while stopped."""
        return self._server.server_address[1] if self._server else self._port

    def start(self) -> None:
        """Listen and serve.

        Raises:
            ConfigurationError: the address is in use, or not one of this machine.
        """
        if self._server is not None:
            return
        self._server = _listen(self._host, self._port, self._handler)
        self.thread = WatchedThread("the health server", self._server.serve_until_stopped)
        self.thread.start()

    def stop(self) -> None:
        """Close the port, and every connection with it."""
        server, self._server = self._server, None
        if server is not None and self.thread is not None:
            server.stop()
            self.thread.join()
            server.server_close()


def _listen(host: str, port: int, handler: type["_Handler"]) -> "_Server":
    try:
        kind, passive = socket.SOCK_STREAM, socket.AI_PASSIVE
        family, *_, address = socket.getaddrinfo(host, port, type=kind, flags=passive)[0]
        return _Server(family, (str(address[0]), port), handler)
    except OSError as error:
        fault = (
            f"metrics and health cannot listen on {host}:{port} ({error.strerror}): set "
            "RELAY_METRICS_PORT to a free port and RELAY_METRICS_HOST to an address of this "
            "machine, or stop the program that has the port"
        )
        raise ConfigurationError([fault]) from None


class _Handler(MetricsHandler):
    checks: dict[str, Check]
    # A client that sends or reads nothing at all is let go before its time is up.
    timeout = REQUEST_SECONDS / 2

    def do_GET(self) -> None:  # noqa: N802
        path = urlsplit(self.path).path
        if path == "/metrics":
            super().do_GET()
        elif path in self.checks:
            self._answer(*_judged(self.checks[path]))
        elif path == "/":
            self._answer(HTTPStatus.OK, PAGES)
        else:
            self._answer(HTTPStatus.NOT_FOUND, f"not here; there are\n{PAGES}")

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _judged(check: Check) -> tuple[HTTPStatus, str]:
    try:
        reason = check()
    except Exception as error:
        # Without its message, which might quote what a page must not show.
        logger.exception("a health check failed")
        reason = f"the check itself failed: {type(error).__name__}"
    if reason is None:
        return HTTPStatus.OK, "ok\n"
    return HTTPStatus.SERVICE_UNAVAILABLE, f"{reason}\n"


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    # Otherwise closing waits for the slowest client.
    block_on_close = False
    # Beyond this many that wait to be accepted, a client would try again only a second later.
    request_queue_size = CONNECTIONS_MAX
    # handle_request() is called when somebody has asked, and waits for nobody else.
    timeout = 0

    def __init__(
        self, family: socket.AddressFamily, address: tuple[str, int], handler: type[_Handler]
    ) -> None:
        self.address_family = family
        self._begun: dict[Request, float] = {}
        self._lock = Lock()
        self._stopped, self._stops = socket.socketpair()
        super().__init__(address, handler)

    def serve_until_stopped(self) -> None:
        """Serve until stop(); unlike serve_forever(), not awake while nobody asks."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while True:
                ready = selector.select(LOOK_SECONDS if self._begun else None)
                if any(key.fileobj is self._stopped for key, _ in ready):
                    return
                if ready:
                    self.handle_request()
                self.service_actions()

    def stop(self) -> None:
        """End serve_until_stopped(), also if it has not begun yet."""
        self._stops.send(b"x")

    def server_bind(self) -> None:
        # Not HTTPServer's own, which asks the name service for our name and may wait for it.
        socketserver.TCPServer.server_bind(self)

    def verify_request(self, request: Request, client_address: object) -> bool:  # noqa: ARG002
        with self._lock:
            if len(self._begun) >= CONNECTIONS_MAX:
                return False
            self._begun[request] = time.monotonic()
        return True

    def service_actions(self) -> None:
        # A timeout of the socket starts anew with every byte; this one does not.
        self._cut_off(time.monotonic() - REQUEST_SECONDS)

    def shutdown_request(self, request: Request) -> None:
        with self._lock:
            self._begun.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        self._stopped.close()
        self._stops.close()
        self._cut_off(time.monotonic())

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        # A client that went away is no fault of ours.
        logger.debug("a request for metrics or health was not finished")

    def _cut_off(self, begun_until: float) -> None:
        with self._lock:
            late = [request for request, begun in self._begun.items() if begun <= begun_until]
        for request in late:
            if isinstance(request, socket.socket):
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)
