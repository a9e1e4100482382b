"""Signals: the lease is finished or given up within the budget, and the exit code is 0."""

import signal
import sys
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
from tests.support.process import ProcessUnderTest
from tests.support.tcp_proxy import Mode, TcpProxy

pytestmark = pytest.mark.kafka

# Far more than are sent until a signal is heard.
ROWS = 20_000
LEASE_ROWS = 1_000
DRAIN_SECONDS = 2


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGTERM], id="sigterm"),
        pytest.param([signal.SIGHUP], id="sighup"),
        pytest.param([signal.SIGTERM, signal.SIGHUP], id="both"),
    ],
)
def test_told_to_end_in_mid_batch_with_the_broker_up(
    outbox: Outbox, sabotaged: Start, stream: Callable[[], Stream], signals: list[signal.Signals]
) -> None:
    outbox.fill(ROWS, keys=100)
    # Frozen only to be told at this point.
    process = sabotaged("SIGSTOP", "produce", 250, RELAY_LEASE_ROWS="100", RELAY_CHUNK_ROWS="100")
    process.wait_until_frozen()
    for each in (*signals, signal.SIGCONT):
        process.send_signal(each)
    assert process.wait(timeout=12) == 0
    left = outbox.count()
    found = stream()
    assert 0 < left < ROWS
    assert (found.rows, found.duplicates) == (ROWS - left, 0)
    assert "under way after" not in process.output


def test_sigterm_in_mid_batch_with_the_broker_down(
    outbox: Outbox,
    environment: dict[str, str],
    make_broker: Callable[..., KafkaBroker],
    sabotaged: Start,
    run_relay: Start,
    recovery: Recovery,
) -> None:
    broker = make_broker()
    create_topic(broker.bootstrap, "frozen")
    environment |= {
        "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": "frozen",
        "RELAY_LEASE_ROWS": str(LEASE_ROWS),
        "RELAY_DRAIN_BUDGET_SECONDS": str(DRAIN_SECONDS),
    }
    outbox.fill(ROWS, keys=100)
    process = sabotaged("SIGSTOP", "produce", LEASE_ROWS * 3 // 2, **environment)
    process.wait_until_frozen()
    broker.pause()
    process.send_signal(signal.SIGTERM)
    # The budget, and what a process takes to end.
    with recovery(DRAIN_SECONDS + 2):
        process.send_signal(signal.SIGCONT)
        assert process.wait() == 0
    assert 0 < outbox.count() < ROWS
    assert outbox.count("parked_at IS NOT NULL OR attempts > 0") == 0
    broker.resume()
    run_relay("run", environment=environment)
    outbox.await_empty("true")
    found = Stream(read_topic(broker.bootstrap, "frozen"))
    assert (found.rows, found.inversions) == (ROWS, 0)
    assert found.duplicates <= LEASE_ROWS


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("run", "relay.cli.app"),
        ("run", "relay.settings"),
        ("run", "relay.daemon.lifecycle"),
        ("api", "relay.service.api.app"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_while_it_is_imported(
    environment: dict[str, str], command: str, module: str, number: signal.Signals
) -> None:
    code = f"""
import os, sys
from relay import __main__

class Teller:
    @staticmethod
    def find_spec(name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), {int(number)})

sys.meta_path.insert(0, Teller)
sys.argv = ["relay", {command!r}]
__main__.main()
"""
    with ProcessUnderTest([sys.executable, "-c", code], environment) as process:
        assert process.wait() == 0
        assert process.output == ""


def test_told_to_end_while_it_waits_for_the_database(database: Database, relay: Start) -> None:
    with TcpProxy(database.address) as proxy:
        proxy.mode = Mode.CUT
        process = relay(DATABASE_URL=database.via(proxy.address).dsn)
        process.wait_for_log("waiting for the outbox tables")
        assert process.terminate() == 0


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
        eventually(lambda: get(process, "/readyz")[0] == 200)
        assert metric(process, "published_total") == 1
        assert process.terminate() == 0
