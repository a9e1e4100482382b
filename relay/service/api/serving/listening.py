import socket

from relay.errors import ConfigurationError


def listen(address: str, port: int, what: str, prefix: str) -> socket.socket:
    """Return a socket that listens; *what* and the variables with *prefix* are named in errors.

    Raises:
        ConfigurationError: the port is taken, or the address is none of this machine.
    """
    try:
        kind = socket.SOCK_STREAM
        family, *_, found = socket.getaddrinfo(address, port, type=kind)[0]
        listening = socket.create_server(found[:2], family=family, backlog=128)
    except OSError as error:
        fault = (
            f"the {what} cannot listen on {address}:{port} ({error.strerror}): set {prefix}_PORT "
            f"to a free port and {prefix}_HOST to an address of this machine, or stop the program "
            "that has the port"
        )
        raise ConfigurationError([fault]) from None
    # Taken over by each connection. An answer is sent in two parts, and the second would wait for
    # the client's kernel to acknowledge the first, which takes 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
