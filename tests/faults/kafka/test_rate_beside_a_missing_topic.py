"""100,000 rows for a missing topic ahead of a good one cost the good one next to nothing."""

import statistics
import time
from collections.abc import Callable

import pytest

from tests.support.outbox import Outbox, Start

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]

AHEAD = 100_000
GOOD = 60_000
ROUNDS = 5


@pytest.fixture
def seconds_for_good_rows(outbox: Outbox) -> Callable[[], float]:
    """Write rows of the good topic in one transaction and time until they are published."""

    def measure() -> float:
        outbox.fill(GOOD, keys=1_000)
        begun = time.monotonic()
        outbox.await_empty("topic IS NULL", timeout=60)
        return time.monotonic() - begun

    return measure


def test_100_000_rows_for_a_missing_topic_ahead_of_a_good_one(
    outbox: Outbox,
    relay: Start,
    topic: str,
    seconds_for_good_rows: Callable[[], float],
    record_property: Callable[[str, object], None],
) -> None:
    relay(RELAY_LEASE_ROWS="20000")
    seconds_for_good_rows()
    ratios = []
    for _ in range(ROUNDS):
        alone = seconds_for_good_rows()
        outbox.fill(AHEAD, keys=1_000, topic=f"{topic}-missing")
        ratios.append(alone / seconds_for_good_rows())
        outbox.connection.execute("DELETE FROM outbox")
    ratio = statistics.median(ratios)
    record_property("rate_beside_a_missing_topic", round(ratio, 2))
    assert ratio >= 0.9, ratios
