"""Clients that stall, and lists larger than memory, against the real process."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.service.api.conftest import store_large_events
from tests.support.authority import Authority, bearer
from tests.support.eventually import eventually
from tests.support.load import stretched
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest

FACES = ["/events", "/api/assisted-install/v2/events"]
PATIENCE_SECONDS = 1.0
MIB = 1 << 20


@pytest.fixture
def process(
    run_relay: Callable[..., ProcessUnderTest], api_environment: dict[str, str]
) -> ProcessUnderTest:
    environment = {"RELAY_API_CLIENT_TIMEOUT_SECONDS": str(PATIENCE_SECONDS)}
    return run_relay("api", environment=api_environment | environment)


@pytest.fixture
def address(process: ProcessUnderTest) -> tuple[str, int]:
    message = process.wait_for_log("serving events on", timeout=60)["message"]
    host, port = message.rpartition(" ")[2].split(":")
    return host, int(port)


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        # Small, so that what is not read waits at the server.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(address)
        yield connection


def served(address: tuple[str, int]) -> set[tuple[int, str]]:
    """Port and state of each client, as the server's side has it."""
    found = psutil.net_connections("tcp")
    return {
        (each.raddr.port, each.status) for each in found if each.laddr == address and each.raddr
    }


def received(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    parts = []
    try:
        while part := client.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("sent", [b"", b"GET /events HT", b"GET /events HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_come_is_waited_for_briefly(
    client: socket.socket, sent: bytes
) -> None:
    client.sendall(sent)
    begun = time.monotonic()
    assert received(client) == b""
    assert PATIENCE_SECONDS * 0.9 < time.monotonic() - begun < stretched(20)


@pytest.mark.parametrize("path", FACES)
def test_a_body_that_does_not_come_is_408(
    client: socket.socket, authority: Authority, path: str
) -> None:
    token = bearer(authority.token(role="admin"))["Authorization"]
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n"
    client.sendall(
        f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode()
    )
    assert received(client).startswith(b"HTTP/1.1 408")


def test_the_rest_of_a_refused_request_is_not_awaited(client: socket.socket) -> None:
    client.sendall(b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 401")
    received(client)


@pytest.fixture
def large(database: Database) -> None:
    store_large_events(database, 150)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("path", FACES)
def test_a_client_that_does_not_read_is_cut_off(
    client: socket.socket, authority: Authority, path: str, address: tuple[str, int]
) -> None:
    token = bearer(authority.token(role="admin"))["Authorization"]
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n\r\n".encode()
    client.sendall(request)
    assert client.recv(10).startswith(b"HTTP/1.1 2")
    # What it has not read stands before the end, so that only the server knows of it.
    eventually(lambda: (client.getsockname()[1], "ESTABLISHED") not in served(address))
    assert len(received(client)) < 3 * MIB
    assert httpx2.get(f"http://{address[0]}:{address[1]}/livez").status_code == 200


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("path", FACES)
def test_large_lists_need_little_memory(
    process: ProcessUnderTest, address: tuple[str, int], authority: Authority, path: str
) -> None:
    url = f"http://{address[0]}:{address[1]}{path}"
    headers = bearer(authority.token(role="admin")) | {"Accept-Encoding": "identity"}

    def read(_: int) -> int:
        with httpx2.stream("GET", url, headers=headers, timeout=60) as answer:
            assert answer.status_code == 200
            return sum(len(part) for part in answer.iter_raw())

    httpx2.get(url, headers=headers, params={"limit": 1}, timeout=60)
    before = _peak_bytes(process.pid)
    with ThreadPoolExecutor(4) as clients:
        sizes = list(clients.map(read, range(4)))
    assert all(size > (150e6 if path == FACES[1] else 4e6) for size in sizes)
    # Of each: a page, the rows and the parts on their way, and what the allocator keeps.
    assert _peak_bytes(process.pid) - before < 4 * 40 * MIB


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
