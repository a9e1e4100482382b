"""Parameters stand in the order of their placeholders, for drivers that number them."""

import itertools
import re
from datetime import timedelta

import pytest

from relay.formats.event_record import EventRecord
from relay.service.insert import Statements, Step
from relay.service.rate_limits import Limit
from relay.service.records import Batch, OutboxRecord

MESSAGE = OutboxRecord("i", "t", "k", "n", "{}", "{}", None)
EVENT = EventRecord("i", "n", "user", "info", "m", "2026", "c", None, None, None, "{}")
LIMIT = Limit("i", "n", "c", "2026", timedelta(hours=1), streamed=False)
STATEMENTS = Statements(lambda name, number: f"<{name}:{number}>", str)


def steps(batch: Batch) -> list[Step[str]]:
    before = [STATEMENTS.lock(batch), STATEMENTS.admission(batch)]
    return [*filter(None, before), *STATEMENTS.inserts(batch)]


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        (Batch([]), 0),
        (Batch([MESSAGE]), 1),
        (Batch([], [EVENT]), 1),
        (Batch([MESSAGE], [EVENT]), 1),
        (Batch([MESSAGE], [EVENT], [LIMIT], ["k"]), 3),
    ],
)
def test_parameters_are_in_the_order_of_their_numbers(batch: Batch, count: int) -> None:
    found = steps(batch)
    assert len(found) == count
    for step in found:
        placeholders = re.findall(r"<(\w+):(\d+)>", step.query)
        assert [name for name, _ in placeholders] == list(step.parameters)
        numbers = [int(number) for _, number in placeholders]
        assert numbers == list(itertools.islice(itertools.count(1), len(numbers)))


def test_what_was_refused_is_not_inserted() -> None:
    limited = Batch([MESSAGE], [EVENT], [LIMIT])
    assert list(STATEMENTS.inserts(limited, ["i"])) == []
    streamed = limited._replace(limits=[LIMIT._replace(streamed=True)])
    (insert,) = STATEMENTS.inserts(streamed, ["i"])
    assert insert.query.startswith("INSERT INTO outbox (")
