"""The broker does not answer: rows wait, the relay warns, and goes on alone when it answers."""

from collections.abc import Callable

import pytest

from relay.settings import RelaySettings
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.broker import KafkaBroker
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.tcp_proxy import Mode, TcpProxy

pytestmark = pytest.mark.kafka

ROWS = 6_000
LEASE_ROWS = 500
# A lease ends at a whole row of each of the shards that it reads from.
LEASE_ROWS_MAX = LEASE_ROWS + RelaySettings().lease_shards - 1

Outage = Callable[[Callable[[], object], Callable[[], object]], Stream]


@pytest.fixture
def outage(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream], recovery: Recovery
) -> Outage:
    """`outage(begin, end)`: relay through it, and return what is on the topic then."""

    def survive(begin: Callable[[], object], end: Callable[[], object]) -> Stream:
        outbox.fill(ROWS, keys=100)
        process = relay(RELAY_LEASE_ROWS=str(LEASE_ROWS))
        eventually(lambda: outbox.count() < ROWS, what="it is under way")
        begin()
        # On a busy machine the others may be through by now.
        outbox.fill(LEASE_ROWS, keys=100)
        warning = process.wait_for_log("cannot be used", timeout=60)
        assert (warning["level"], "rows wait" in warning["message"]) == ("WARNING", True)
        assert metric(process, "broker_up") == 0
        assert outbox.count() > 0
        end()
        with recovery(AFTER_AN_OUTAGE_SECONDS):
            outbox.await_empty(timeout=60)
        assert outbox.count() == metric(process, "parked_total") == 0
        assert metric(process, "broker_up") == 1
        found = stream()
        assert (found.rows, found.inversions) == (ROWS + LEASE_ROWS, 0)
        assert found.duplicates <= LEASE_ROWS_MAX
        return found

    return survive


def switch(proxy: TcpProxy, mode: Mode) -> Callable[[], None]:
    return lambda: setattr(proxy, "mode", mode)


def test_broker_stopped_and_started(outage: Outage, broker: KafkaBroker) -> None:
    outage(broker.stop, broker.start)


def test_broker_crashed_and_started(outage: Outage, broker: KafkaBroker) -> None:
    outage(broker.kill, broker.start)


def test_broker_paused_and_resumed(outage: Outage, broker: KafkaBroker) -> None:
    outage(broker.pause, broker.resume)


def test_connection_black_holed(outage: Outage, proxy: TcpProxy) -> None:
    outage(switch(proxy, Mode.BLACK_HOLE), switch(proxy, Mode.PASS))


def test_connection_reset(outage: Outage, proxy: TcpProxy) -> None:
    outage(switch(proxy, Mode.CUT), switch(proxy, Mode.PASS))


def test_acknowledgement_lost(outage: Outage, proxy: TcpProxy) -> None:
    found = outage(switch(proxy, Mode.DROP_RESPONSES), switch(proxy, Mode.PASS))
    # Kafka had them, the relay could not know: without copies nothing was lost here.
    assert found.duplicates > 0
