"""The network between relay and database swallows everything, and tells neither end."""

import signal
from collections.abc import Callable, Mapping

import pytest

from tests.faults.conftest import AFTER_A_FREEZE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.metrics import get, metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.tcp_proxy import Mode, TcpProxy

pytestmark = pytest.mark.kafka

ROWS = 6_000


def test_black_holed_connection(
    database: Database,
    outbox: Outbox,
    sabotaged: Start,
    successor: Start,
    impatient: Mapping[str, str],
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    other = successor(**impatient)
    outbox.fill(ROWS, keys=64)
    with TcpProxy(database.address) as proxy:
        behind = {"DATABASE_URL": database.via(proxy.address).dsn, "RELAY_LEASE_SHARDS": "64"}
        # Frozen only to lose the network at this point: with messages out and none deleted.
        cut_off = sabotaged("SIGSTOP", "produce", 1_000, **impatient, **behind)
        cut_off.wait_until_frozen()
        left = outbox.count()
        proxy.mode = Mode.BLACK_HOLE
        cut_off.send_signal(signal.SIGCONT)
        with recovery(AFTER_A_FREEZE_SECONDS):
            other.send_signal(signal.SIGCONT)
            outbox.await_empty("true")
        # All of them: whatever Kafka acknowledged to the other, its deletes never arrived.
        assert metric(other, "published_total") == left > 0
        cut_off.wait_for_log("no answer from the database")
        assert get(cut_off, "/livez")[0] == 200
        proxy.mode = Mode.PASS
        outbox.fill(500, keys=64)
        outbox.await_empty("true")
    found = stream()
    assert (found.rows, found.inversions) == (ROWS + 500, 0)
