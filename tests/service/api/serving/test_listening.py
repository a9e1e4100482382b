"""The socket that the API and the console listen on."""

import socket

from relay.service.api.serving.listening import listen


def test_no_part_of_an_answer_waits_for_the_part_before() -> None:
    with (
        listen("127.0.0.1", 0, "API", "RELAY_API") as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
