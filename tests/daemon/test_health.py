import contextlib
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Counter

from relay.daemon import health
from relay.daemon.health import HealthServer
from relay.errors import ConfigurationError
from tests.support.eventually import eventually
from tests.support.load import stretched


class Checks:
    """What the checks of the server answer; a test changes it."""

    live: str | None = None
    ready: str | None = None

    def liveness(self) -> str | None:
        return self.live

    def readiness(self) -> str | None:
        return self.ready


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.fixture
def server(checks: Checks) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    Counter("rows", "Rows.", registry=registry).inc(3)
    running = HealthServer("127.0.0.1", 0, registry, checks.liveness, checks.readiness)
    running.start()
    yield running
    running.stop()


def get(server: HealthServer, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def is_closed(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_metrics_come_from_the_registry(server: HealthServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert "rows_total 3.0" in text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/livez?verbose"])
def test_fine_is_200(server: HealthServer, path: str) -> None:
    assert get(server, path) == (200, "ok\n")


def test_a_reason_is_503_and_concerns_its_own_page_alone(
    server: HealthServer, checks: Checks
) -> None:
    checks.ready = "waiting for the schema"
    assert get(server, "/readyz") == (503, "waiting for the schema\n")
    assert get(server, "/livez") == (200, "ok\n")
    checks.ready, checks.live = None, "worker 0 has been silent for 90 s"
    assert get(server, "/readyz") == (200, "ok\n")
    assert get(server, "/livez") == (503, "worker 0 has been silent for 90 s\n")


def test_a_check_that_fails_is_503_without_its_message() -> None:
    def broken() -> str | None:
        raise RuntimeError("password=secret")

    server = HealthServer("127.0.0.1", 0, CollectorRegistry(), broken, broken)
    server.start()
    status, text = get(server, "/livez")
    server.stop()
    assert (status, text) == (503, "the check itself failed: RuntimeError\n")


def test_the_root_lists_the_pages_and_other_paths_are_404(server: HealthServer) -> None:
    status, listed = get(server, "/")
    assert status == 200
    assert all(page in listed for page in ("/metrics", "/livez", "/readyz"))
    assert get(server, "/health")[0] == 404


def test_a_port_in_use_is_explained(server: HealthServer) -> None:
    second = HealthServer("127.0.0.1", server.port, CollectorRegistry(), lambda: None, lambda: None)
    with pytest.raises(ConfigurationError, match="RELAY_METRICS_PORT"):
        second.start()
    second.stop()


def test_start_and_stop_may_be_repeated(server: HealthServer) -> None:
    port = server.port
    server.start()
    assert server.port == port
    server.stop()
    server.stop()
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=30)
    server.start()
    assert get(server, "/livez")[0] == 200


def test_slow_clients_delay_neither_a_scrape_nor_a_stop(server: HealthServer) -> None:
    with ExitStack() as clients:
        for _ in range(5):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            clients.enter_context(client).sendall(b"GET /metrics HTTP/1.1\r\n")
        assert get(server, "/metrics")[0] == 200
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < stretched(health.REQUEST_SECONDS / 2)
        assert eventually(lambda: is_closed(client))


def test_a_client_that_drips_is_cut_off(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "REQUEST_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nx: ")

        def dripped_until_closed() -> bool:
            with contextlib.suppress(ConnectionError):
                client.sendall(b"x")
            return is_closed(client)

        assert eventually(dripped_until_closed)


def test_too_many_clients_are_turned_away_until_some_leave(server: HealthServer) -> None:
    with ExitStack() as clients:
        for _ in range(health.CONNECTIONS_MAX):
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as refused:
            assert eventually(lambda: is_closed(refused))

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return get(server, "/livez")[0] == 200
        return False

    assert eventually(answers)
