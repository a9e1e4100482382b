import socket
import sys

import pytest

from relay.demo.ports import LOOPBACK
from tests.support.ports import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a port so")


def listener(port: int, *, reuse: bool) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    try:
        server.bind((LOOPBACK, port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def test_nobody_else_finds_the_port_free() -> None:
    port = free_port()
    with pytest.raises(OSError, match="in use"):
        listener(port, reuse=False)


def test_nobody_answers_before_the_server_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, free_port()), timeout=30)


def test_its_server_may_come_and_go() -> None:
    port = free_port()
    for _ in range(2):
        with listener(port, reuse=True), socket.create_connection((LOOPBACK, port), timeout=30):
            pass
