"""Ports for servers that tests start by themselves."""

import socket
import sys
from typing import Final

from relay.demo import ports

_reserved: Final[list[socket.socket]] = []


def free_port() -> int:
    """Return a loopback port that stays this process's own, also while its server is down.

    Looking for a port and listening on it later leaves time for others, such as the next worker,
    to take it. A socket that is bound and never listens keeps them away; servers set SO_REUSEADDR
    and so may listen beside it. Only Linux has it so: elsewhere the port is merely free now.
    """
    if sys.platform != "linux":
        return ports.free_port()
    while True:
        keeper = socket.socket()
        try:
            keeper.bind((ports.LOOPBACK, ports.free_port()))
        except OSError:  # taken since
            keeper.close()
            continue
        # Only now: set before, it would let us bind beside another keeper.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _reserved.append(keeper)
        return int(keeper.getsockname()[1])
