"""A backlog larger than the memory: what a relay holds is bounded, whatever waits."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

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
FILLER: Final = "json_build_object('filler', repeat('x', %s))"
# Key, name, payload, metadata and headers of rows, and how many; keys and names as version 1 let
# them in. Of the last three nothing can be sent.
WIDE: Final = {
    "metadata": (f"'k' || g, 'Wide', '{{}}', {FILLER % 700_000}, NULL", 300),
    "keys and names": ("repeat('k', 100000) || g, repeat('n', 100000), '{}', NULL, NULL", 1_200),
    "one payload": (f"'k', 'Wide', {FILLER % 60_000_000}, NULL, NULL", 1),
    "one metadata": (f"'k', 'Wide', '{{}}', {FILLER % 60_000_000}, NULL", 1),
    "headers": (f"'k', 'Wide', '{{}}', NULL, {FILLER % 60_000_000}", 1),
}


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


def test_rows_that_are_wide_in_every_way(
    outbox: Outbox, relay: Start, record_property: Callable[[str, object], None]
) -> None:
    process = relay()
    process.wait_for_log("relaying to")
    for what, (values, rows) in WIDE.items():
        with outbox.as_version_1() as connection:
            connection.execute(
                "INSERT INTO outbox (key, name, payload, metadata, headers) "
                f"SELECT {values} FROM generate_series(1, {rows}) AS g".encode()
            )
        outbox.await_empty(timeout=60)
        record_property(f"memory_max_mebibytes with {what}", peak_bytes(process.pid) >> 20)
        assert peak_bytes(process.pid) < MEMORY_MAX_BYTES, what
    assert outbox.count() == 3
    assert "xxxx" not in process.output


def peak_bytes(pid: int) -> int:
    """Return the most memory that the process ever had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
