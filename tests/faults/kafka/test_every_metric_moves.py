"""Every metric that is declared moves: a relay is led through what moves each of them."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from random import randbytes
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from relay.daemon.telemetry.metrics import Metrics
from tests.support.eventually import eventually
from tests.support.metrics import declared, get
from tests.support.outbox import Outbox, Start
from tests.support.process import ProcessUnderTest
from tests.support.tcp_proxy import Mode, TcpProxy

pytestmark = pytest.mark.kafka

# What it is never changes while a process lives.
CONSTANT: Final = {
    "outbox_relay_build_info",
    # Needs a pooler: tests/faults/postgres/test_pgbouncer.py.
    "outbox_relay_doorbell_test_failures_total",
    # Needs another table of that name: tests/daemon/telemetry/test_unknown_figures.py.
    "outbox_relay_left_behind_rows",
}
HASTY: Final = {
    "RELAY_SAMPLE_SECONDS": "0.1",
    "RELAY_STALL_SECONDS": "1",
    "RELAY_BACKOFF_MAX_SECONDS": "0.5",
    "RELAY_MAX_MESSAGE_BYTES": "20000",
    "RELAY_LEASE_ROWS": "1000",
}


class Watch:
    """The values that each metric had, at any of some relays."""

    def __init__(self, *relays: ProcessUnderTest) -> None:
        self._relays = relays
        self._seen: dict[str, set[float]] = defaultdict(set)
        self.look()

    def look(self) -> None:
        for relay in self._relays:
            _, page = get(relay, "/metrics")
            sums: dict[str, float] = dict.fromkeys(declared(Metrics()), 0.0)
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    name = sample.name.removesuffix("_bucket").removesuffix("_count")
                    # What nobody has measured yet has no value to move from.
                    if name in sums and not math.isnan(sample.value):
                        sums[name] += sample.value
            for name, value in sums.items():
                self._seen[name].add(value)

    @property
    def still(self) -> set[str]:
        """The metrics that had one value all the time."""
        return {name for name in declared(Metrics()) if len(self._seen[name]) == 1} - CONSTANT

    def await_moved(self, name: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Look until the metric has moved, and before each look do something."""

        def moved() -> bool:
            meanwhile()
            self.look()
            return f"outbox_relay_{name}" not in self.still

        eventually(moved, timeout=20, what=name)


@pytest.fixture
def troubled(outbox: Outbox, database_connection: Outbox) -> Iterator[None]:
    """An outbox with all that a relay can meet: held, paused, parked, locked and old rows."""
    outbox.fill(4_000, keys=64)
    outbox.emit("Held", topic="a-topic-that-is-missing")
    outbox.emit("TooLarge", json.dumps({"filler": "x" * 30_000}))
    outbox.emit("Paused", key="paused")
    outbox.connection.execute(
        "UPDATE outbox_shard SET paused_at = now()"
        " WHERE shard = (SELECT shard FROM outbox WHERE name = 'Paused')"
    )
    # Another relay, whose drain timed out, and which knew another flag.
    outbox.connection.execute(
        "INSERT INTO outbox_relay (id, name, pid, version, seen_at, alive_until, ended_at,"
        " streaming, topic, wake_up, drain_timed_out) VALUES"
        " (gen_random_uuid(), 'former', 1, '0', now(), now(), now(), true, 't', 'poll', true)"
    )
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("SELECT FROM outbox WHERE name = 'Filled' ORDER BY id LIMIT 1 FOR UPDATE")
    other.execute("INSERT INTO outbox (name, payload) VALUES ('OfAnOpenWriter', '{}')")
    yield
    other.execute("ROLLBACK")


@pytest.mark.usefixtures("troubled")
def test_every_metric_moves(
    outbox: Outbox,
    database_connection: Outbox,
    relay: Start,
    sabotaged: Start,
    proxy: TcpProxy,
    make_topic: Callable[..., str],
) -> None:
    # It loses its first lease when Kafka has the rows.
    process = sabotaged("TERMINATE", "delete", 1, **HASTY)
    watch = Watch(process, relay(ENABLE_EVENT_STREAMING="false", RELAY_SAMPLE_SECONDS="0.1"))
    for name in ("possible_duplicates_total", "rows_locked", "oldest_writer_seconds", "held_rows"):
        watch.await_moved(name)
    database_connection.connection.execute("ROLLBACK")
    # A hold that is tried again has relays look from the beginning.
    outbox.connection.execute("DELETE FROM outbox WHERE name = 'Held'")
    old_ids = count(-1, -1)
    watch.await_moved("rows_below_watermark_total", lambda: _copy(outbox, next(old_ids)))
    sabotaged("SIGKILL", "ack", 1, **HASTY)
    watch.await_moved("deaths_total", lambda: outbox.fill(200, keys=50))
    # Larger than this topic takes even if compressed, and not than the relay was told.
    small = make_topic(config={"max.message.bytes": "2000"})
    outbox.emit("Refused", json.dumps({"filler": randbytes(8_000).hex()}), topic=small)
    watch.await_moved("producer_rebuilds_total")
    outbox.connection.execute("ALTER TABLE outbox_relay RENAME TO outbox_relay_away")
    watch.await_moved("sample_failures_total")
    outbox.connection.execute("ALTER TABLE outbox_relay_away RENAME TO outbox_relay")
    proxy.mode = Mode.CUT
    watch.await_moved("broker_failing")
    proxy.mode = Mode.PASS
    for name in sorted(watch.still):
        watch.await_moved(name.removeprefix("outbox_relay_"))
    assert watch.still == set()


def _copy(outbox: Outbox, id_: int) -> None:
    with outbox.connection.cursor().copy("COPY outbox (id, name, payload) FROM STDIN") as copy:
        copy.write_row((id_, "Old", "{}"))
