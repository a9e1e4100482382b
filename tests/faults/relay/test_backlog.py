"""A backlog larger than the memory: what a relay holds is bounded, whatever waits."""

from collections.abc import Callable

import psutil
import pytest

from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

LARGE_ROWS = 600
LARGE_BYTES = 900_000
SMALL_ROWS = 20_000
# A third of the large payloads alone. An idle relay has 70.
MEMORY_MAX_BYTES = 200 << 20


def test_out_of_memory_sized_backlog(
    outbox: Outbox,
    relay: Start,
    stream: Callable[[], Stream],
    record_property: Callable[[str, object], None],
) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) "
        "SELECT 'k' || g %% 64, 'Large', json_build_object('filler', repeat('x', %s)) "
        "FROM generate_series(1, %s) AS g",
        (LARGE_BYTES, LARGE_ROWS),
    )
    outbox.fill(SMALL_ROWS, keys=64)
    process = relay()
    watched = psutil.Process(process.pid)
    sizes: list[int] = []

    def drained() -> bool:
        sizes.append(watched.memory_info().rss)
        return outbox.count() == 0

    eventually(drained, timeout=120)
    record_property("backlog_mebibytes", LARGE_ROWS * LARGE_BYTES >> 20)
    record_property("memory_max_mebibytes", max(sizes) >> 20)
    assert max(sizes) < MEMORY_MAX_BYTES
    found = stream()
    assert (found.rows, found.duplicates) == (LARGE_ROWS + SMALL_ROWS, 0)
