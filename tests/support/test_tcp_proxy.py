import contextlib
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.tcp_proxy import Mode, TcpProxy


class Echo(socketserver.ThreadingTCPServer):
    """Sends back what it gets, and remembers it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.received = b""
        self.clients: list[socket.socket] = []

    def hang_up(self) -> None:
        for client in self.clients:
            client.shutdown(socket.SHUT_RDWR)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()
        return host, port


class EchoHandler(socketserver.BaseRequestHandler):
    server: Echo

    def handle(self) -> None:
        self.server.clients.append(self.request)
        with contextlib.suppress(ConnectionError):
            while piece := self.request.recv(1000):
                self.server.received += piece
                self.request.sendall(piece)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[TcpProxy]:
    with TcpProxy(echo.address) as running:
        yield running


@pytest.fixture
def client(proxy: TcpProxy) -> Iterator[socket.socket]:
    with connected(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        yield connection


def connected(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(proxy.address, timeout=30)


def hears_nothing(connection: socket.socket, seconds: float = 0.3) -> bool:
    readable, _, _ = select.select([connection], [], [], seconds)
    return not readable


def is_reset(connection: socket.socket) -> bool:
    with pytest.raises(ConnectionResetError):
        connection.recv(100)
    return True


def test_passes_large_amounts(proxy: TcpProxy) -> None:
    sent = bytes(range(256)) * 4000
    with connected(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=[sent])
        sender.start()
        got = b""
        while len(got) < len(sent):
            got += connection.recv(100_000)
        sender.join()
    assert got == sent


def test_what_is_held_goes_on_later(proxy: TcpProxy, client: socket.socket, echo: Echo) -> None:
    proxy.mode = Mode.HOLD
    client.sendall(b" world")
    assert hears_nothing(client)
    assert echo.received == b"hello"
    proxy.mode = Mode.PASS
    assert client.recv(100) == b" world"


def test_a_black_hole_swallows_everything(
    proxy: TcpProxy, client: socket.socket, echo: Echo
) -> None:
    proxy.mode = Mode.BLACK_HOLE
    client.sendall(b" world")
    with connected(proxy) as late:
        late.sendall(b" again")
        assert hears_nothing(client)
        assert hears_nothing(late)
        assert echo.received == b"hello"
        proxy.mode = Mode.PASS
        assert is_reset(client)
        assert is_reset(late)


def test_requests_arrive_although_responses_are_dropped(
    proxy: TcpProxy, client: socket.socket, echo: Echo
) -> None:
    proxy.mode = Mode.DROP_RESPONSES
    client.sendall(b" world")
    eventually(lambda: echo.received == b"hello world")
    assert hears_nothing(client)
    proxy.mode = Mode.PASS
    assert is_reset(client)


@pytest.mark.parametrize("mode", [Mode.BLACK_HOLE, Mode.DROP_RESPONSES])
def test_that_the_server_hung_up_gets_lost_too(
    proxy: TcpProxy, client: socket.socket, echo: Echo, mode: Mode
) -> None:
    proxy.mode = mode
    echo.hang_up()
    assert hears_nothing(client)
    proxy.mode = Mode.PASS
    assert is_reset(client)


def test_cutting_resets_old_and_new_connections(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.mode = Mode.CUT
    assert is_reset(client)
    with pytest.raises(ConnectionResetError), connected(proxy) as late:
        late.recv(100)
    proxy.mode = Mode.PASS
    with connected(proxy) as healed:
        healed.sendall(b"back")
        assert healed.recv(100) == b"back"


def test_one_cut_leaves_later_connections_alone(proxy: TcpProxy, client: socket.socket) -> None:
    assert proxy.connections == 1
    proxy.cut()
    assert is_reset(client)
    eventually(lambda: proxy.connections == 0)
    with connected(proxy) as late:
        late.sendall(b"fine")
        assert late.recv(100) == b"fine"


def test_delay_is_felt_in_both_directions(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.delay = 0.1
    started = time.monotonic()
    client.sendall(b"slow")
    assert client.recv(100) == b"slow"
    assert time.monotonic() - started >= 0.2


def test_a_closed_connection_is_closed_on_the_other_side(
    proxy: TcpProxy, client: socket.socket
) -> None:
    client.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b""
    eventually(lambda: proxy.connections == 0)


def test_a_dead_target_resets() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with (
            TcpProxy(nobody.getsockname()) as proxy,
            pytest.raises(ConnectionResetError),
            connected(proxy) as connection,
        ):
            connection.recv(100)
