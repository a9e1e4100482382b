"""Published rows that PostgreSQL refuses to delete: a matter of those rows, and of no other."""

from collections.abc import Callable

import pytest

from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

ROWS = 3_000


def test_a_row_that_a_foreign_key_keeps(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    outbox.fill(ROWS, keys=64)
    outbox.connection.execute("CREATE TABLE note AS SELECT min(id) AS row_id FROM outbox")
    outbox.connection.execute("ALTER TABLE note ADD FOREIGN KEY (row_id) REFERENCES outbox")
    process = relay()
    outbox.await_empty("parked_at IS NULL")
    outbox.fill(ROWS, keys=64)
    outbox.await_empty("parked_at IS NULL")
    assert outbox.count("last_error LIKE 'published, %ForeignKeyViolation%'") == 1
    assert metric(process, "leases_total", outcome="lost") == 1
    eventually(lambda: metric(process, "parked_total", reason="undeletable") == 1)
    found = stream()
    assert (found.rows, found.duplicates) == (2 * ROWS, 0)
