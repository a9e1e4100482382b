"""Ports for servers that a demo or a test starts by itself."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below what systems hand out to outgoing connections, so that a server that is down for a while
# finds its port free when it comes back.
PORT_RANGE = range(20_000, 32_000)


def free_port() -> int:
    """A TCP port that nobody listens on at the moment, on the loopback address."""
    for port in random.sample(PORT_RANGE, k=len(PORT_RANGE)):
        with socket.socket() as listener:
            try:
                listener.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(f"No TCP port is free in {PORT_RANGE.start}..{PORT_RANGE.stop - 1}.")
