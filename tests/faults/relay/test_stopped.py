"""SIGTERM: the lease is finished or given up within the budget, and the exit code is 0."""

from collections.abc import Callable

import pytest

from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.topics import create_topic, read_topic
from tests.support.metrics import get, metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.tcp_proxy import Mode, TcpProxy

pytestmark = pytest.mark.kafka

ROWS = 12_000
DRAIN_SECONDS = 2


def test_sigterm_in_mid_batch_with_the_broker_up(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    outbox.fill(ROWS, keys=100)
    process = relay(RELAY_LEASE_ROWS="1000")
    eventually(lambda: 0 < outbox.count() < ROWS, what="it is under way")
    assert process.terminate(timeout=12) == 0
    left = outbox.count()
    found = stream()
    assert 0 < left < ROWS
    assert (found.rows, found.duplicates) == (ROWS - left, 0)
    assert "under way after" not in process.output


def test_sigterm_in_mid_batch_with_the_broker_down(
    outbox: Outbox,
    environment: dict[str, str],
    make_broker: Callable[..., KafkaBroker],
    run_relay: Start,
    recovery: Recovery,
) -> None:
    broker = make_broker()
    create_topic(broker.bootstrap, "frozen")
    environment |= {
        "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": "frozen",
        "RELAY_LEASE_ROWS": "1000",
        "RELAY_DRAIN_BUDGET_SECONDS": str(DRAIN_SECONDS),
    }
    outbox.fill(ROWS, keys=100)
    process = run_relay("run", environment=environment)
    eventually(lambda: 0 < outbox.count() < ROWS, what="it is under way")
    broker.pause()
    # The budget, and what a process takes to end.
    with recovery(DRAIN_SECONDS + 2):
        assert process.terminate() == 0
    assert outbox.count() > 0
    assert outbox.count("parked_at IS NOT NULL OR attempts > 0") == 0
    broker.resume()
    run_relay("run", environment=environment)
    outbox.await_empty("true")
    found = Stream(read_topic(broker.bootstrap, "frozen"))
    assert (found.rows, found.inversions) == (ROWS, 0)
    assert found.duplicates <= 1_000


def test_start_with_the_database_down(
    database: Database, outbox: Outbox, relay: Start, recovery: Recovery
) -> None:
    outbox.emit("waits")
    with TcpProxy(database.address) as proxy:
        proxy.mode = Mode.CUT
        process = relay(DATABASE_URL=database.via(proxy.address).dsn)
        process.wait_for_log("waiting for the outbox tables")
        process.wait_for_log("waiting for the outbox tables", after=len(process.logs))
        assert get(process, "/livez")[0] == 200
        assert get(process, "/readyz")[0] == 503
        proxy.mode = Mode.PASS
        with recovery(AFTER_AN_OUTAGE_SECONDS):
            outbox.await_empty("true")
        assert get(process, "/readyz")[0] == 200
        assert metric(process, "published_total") == 1
        assert process.terminate() == 0
