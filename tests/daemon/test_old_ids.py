"""Rows whose ids come back below the low watermarks: all are delivered within seconds."""

from collections.abc import Callable

import pytest

from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.process import ProcessUnderTest
from tests.support.sabotage import REACHED, TELL_EACH

SECONDS = 8.0
BELOW = "rows_below_watermark_total"


def let_rise(process: ProcessUnderTest) -> None:
    """Wait until the watermarks have risen once more; the first time may have begun before."""
    for _ in range(2):
        process.wait_for_log(REACHED, after=len(process.logs))


@pytest.fixture
def past(outbox: Outbox, sabotaged: Start) -> Callable[[int], ProcessUnderTest]:
    """Start a relay, and let its watermarks rise to so many rows."""

    def start(rows: int) -> ProcessUnderTest:
        process = sabotaged(TELL_EACH, "rise", 1_000_000, RELAY_SAMPLE_SECONDS="0.5")
        outbox.fill(rows, keys=10)
        outbox.await_empty("true")
        let_rise(process)
        return process

    return start


def test_truncate_with_restart_identity(
    outbox: Outbox, past: Callable[[int], ProcessUnderTest]
) -> None:
    process = past(20)
    # At once, or the relay sees in between that fewer ids were drawn.
    with outbox.connection.transaction():
        outbox.connection.execute("TRUNCATE outbox RESTART IDENTITY")
        outbox.fill(30, keys=10)
    outbox.await_empty("true", timeout=SECONDS)
    # Known from the table itself: nobody had to search.
    assert metric(process, BELOW) == 0


@pytest.mark.parametrize(
    "back",
    ["ALTER SEQUENCE outbox_id_seq RESTART", "SELECT setval('outbox_id_seq', 1, false)"],
)
def test_a_sequence_that_was_taken_back_and_has_caught_up(
    outbox: Outbox, past: Callable[[int], ProcessUnderTest], back: str
) -> None:
    past(20)
    with outbox.connection.transaction():
        outbox.connection.execute(back.encode())
        outbox.fill(30, keys=10)
    outbox.await_empty("true", timeout=SECONDS)


def test_two_sessions_that_draw_from_a_cache(
    outbox: Outbox,
    database_connection: Outbox,
    past: Callable[[int], ProcessUnderTest],
) -> None:
    outbox.connection.execute("ALTER SEQUENCE outbox_id_seq CACHE 50")
    process = past(1)
    outbox.emit("draws 50 ids")
    for _ in range(60):
        database_connection.emit("draws the next 50")
    outbox.await_empty("true")
    let_rise(process)
    outbox.emit("of the first 50")
    outbox.await_empty("true", timeout=SECONDS)
    assert metric(process, BELOW) == 0


def test_ids_from_a_cache_that_is_no_more(
    outbox: Outbox, database_connection: Outbox, past: Callable[[int], ProcessUnderTest]
) -> None:
    outbox.connection.execute("ALTER SEQUENCE outbox_id_seq CACHE 50")
    outbox.emit("draws 50 ids")
    database_connection.connection.execute("ALTER SEQUENCE outbox_id_seq CACHE 1")
    process = past(1)
    database_connection.emit("draws one")
    database_connection.await_empty("true")
    let_rise(process)
    outbox.emit("of the first 50")
    outbox.await_empty("true", timeout=SECONDS)
    assert metric(process, "published_total") == 4


@pytest.mark.parametrize("id_", [7, 0, -3])
def test_rows_copied_with_old_ids(
    outbox: Outbox, past: Callable[[int], ProcessUnderTest], id_: int
) -> None:
    process = past(20)

    def found_below() -> bool:
        """Copy one; while the watermarks still rise it may go out as others do."""
        with outbox.connection.cursor().copy("COPY outbox (id, name, payload) FROM STDIN") as copy:
            copy.write_row((id_, "Copied", "{}"))
        outbox.await_empty("true", timeout=SECONDS)
        return metric(process, BELOW) >= 1

    eventually(found_below)
    process.wait_for_log("below the low watermark")
