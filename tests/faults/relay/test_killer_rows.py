"""A row that kills the process: it is found and parked, whoever is beside it goes on."""

from collections.abc import Callable

import pytest

from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.outbox import Outbox, Start
from tests.support.process import ProcessUnderTest
from tests.support.sabotage import KILLER

pytestmark = pytest.mark.kafka

ROWS = 6_000
LIVES_MAX = 10
# Once in a full lease, once in a small step, twice alone.
DEATHS = 4


def lives_until_drained(outbox: Outbox, start: Callable[[], ProcessUnderTest]) -> int:
    """Start relays one after the other, as Kubernetes would; return how many it took."""
    for lives in range(1, LIVES_MAX + 1):
        process = start()

        def ended(process: ProcessUnderTest = process) -> bool:
            return not process.is_running or outbox.count("parked_at IS NULL") == 0

        eventually(ended, timeout=60)
        if process.is_running:
            return lives
    raise AssertionError(f"{LIVES_MAX} relays died, and {outbox.count()} rows are left")


def test_a_row_that_kills_the_process_each_time(
    outbox: Outbox,
    sabotaged: Start,
    stream: Callable[[], Stream],
    record_property: Callable[[str, object], None],
) -> None:
    outbox.fill(ROWS // 2, keys=100)
    outbox.emit(KILLER, key="key-7")
    outbox.fill(ROWS // 2, keys=100)
    lives = lives_until_drained(outbox, lambda: sabotaged("SIGKILL", "killer"))
    record_property("relays_that_died", lives - 1)
    parked = outbox.connection.execute("SELECT name, last_error FROM outbox").fetchall()
    assert [name for name, _ in parked] == [KILLER]
    assert "relay processes died" in parked[0][1]
    assert lives - 1 == DEATHS
    found = stream()
    # The killer may have got out before it killed.
    assert ROWS <= found.rows <= ROWS + 1
    assert found.inversions == 0
