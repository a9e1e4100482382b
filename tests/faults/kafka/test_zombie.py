"""A relay loses its lease while it waits for Kafka: it notices, and sends nothing more."""

from collections.abc import Callable

import pytest

from tests.faults.conftest import Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.selection import SessionKafka
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.sabotage import terminate_workers
from tests.support.tcp_proxy import Mode, TcpProxy

pytestmark = pytest.mark.kafka

ROWS = 4_000
# Without a look at its connection it would wait for eight.
NOTICED_SECONDS = 2.0
PATIENT = {"RELAY_STALL_SECONDS": "8"}


def test_pg_terminate_backend_on_a_worker_that_waits_for_acknowledgements(
    outbox: Outbox,
    relay: Start,
    proxy: TcpProxy,
    kafka: SessionKafka,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    outbox.emit("before")
    zombie = relay(**PATIENT)
    outbox.await_empty()
    proxy.mode = Mode.BLACK_HOLE
    outbox.fill(ROWS, keys=64)
    eventually(lambda: metric(zombie, "in_flight") > 0, what="it waits for acknowledgements")
    seen = len(zombie.logs)
    terminate_workers(outbox.connection)
    with recovery(NOTICED_SECONDS):
        zombie.wait_for_log("PostgreSQL at", after=seen)
    # Another relay, whose network works, does all of the work; then the zombie's works again.
    relay(KAFKA_BOOTSTRAP_SERVER=kafka.bootstrap)
    outbox.await_empty("true")
    proxy.mode = Mode.PASS
    eventually(lambda: metric(zombie, "broker_up") == 1, what="it has found the broker again")
    assert metric(zombie, "published_total") == 1
    assert metric(zombie, "leases_total", outcome="lost") == 1
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (ROWS + 1, 0, 0)
