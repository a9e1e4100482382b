"""A thread of the relay fails as nobody foresaw: the process ends, and says so; or it hangs."""

import socket
from collections.abc import Callable, Mapping

import pytest

from relay.demo.ports import LOOPBACK
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import get, port
from tests.support.outbox import Outbox, Start
from tests.support.sabotage import HANG, RAISE, SECRET

pytestmark = pytest.mark.kafka

ROWS = 50


@pytest.mark.parametrize(
    ("point", "who"),
    [
        ("round", "worker-0"),
        ("ack", "worker-0"),
        ("sample", "the sampler"),
        ("tick", "the main thread"),
        ("request", "the health server"),
    ],
)
def test_the_last_line_says_who_died_and_that_nothing_is_lost(
    outbox: Outbox,
    sabotaged: Start,
    relay: Start,
    stream: Callable[[], Stream],
    point: str,
    who: str,
) -> None:
    outbox.fill(ROWS, keys=5)
    process = sabotaged(RAISE, point)
    if point == "request":
        socket.create_connection((LOOPBACK, port(process))).close()
    assert process.wait() == 1
    last = process.logs[-1]
    assert last["level"] == "ERROR"
    assert f"{who} died of KeyError in harm, " in last["message"]
    assert "nothing is lost" in last["message"]
    assert "supervisor" in last["message"]
    assert SECRET not in process.output
    assert len(process.stderr) == len(process.logs), "all lines are ours"
    relay()
    outbox.await_empty("true")
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)


@pytest.mark.parametrize("point", ["round", "ack"])
def test_liveness_fails_when_a_loop_hangs(
    sabotaged: Start, outbox: Outbox, impatient: Mapping[str, str], point: str
) -> None:
    outbox.emit("waits")
    process = sabotaged(HANG, point, **impatient)
    eventually(lambda: get(process, "/livez")[0] == 503, timeout=40)
    assert "worker-0 has been silent for" in get(process, "/livez")[1]
