"""Rows with a value that cannot be converted: a matter of those rows, and of no other."""

import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest

from relay.database.migration import migrate
from tests.faults.stream import Stream
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database

pytestmark = pytest.mark.kafka

ROWS = 3_000


def test_an_infinite_time_and_the_highest_count_of_attempts(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    # As they may be in tables that are older than our CHECKs, or whose owner took those away.
    outbox.connection.execute("ALTER TABLE outbox DROP CONSTRAINT outbox_created_at_check")
    for time in ("infinity", "-infinity", "4713-01-01 BC", "294276-12-31"):
        outbox.connection.execute(
            "INSERT INTO outbox (name, payload, created_at) VALUES ('Time', '{}', %s)", (time,)
        )
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, attempts, topic)"
        " VALUES ('Large', json_build_object('x', repeat('x', 2000000)), 32767, NULL)"
    )
    outbox.fill(ROWS, keys=64)
    process = relay()
    outbox.await_empty("parked_at IS NULL", timeout=20)
    assert outbox.count("parked_at IS NOT NULL AND attempts = 32767") == 1
    found = stream()
    assert (found.rows, found.duplicates) == (ROWS + 4, 0)
    assert metric(process, "leases_total", outcome="lost") == 0


@pytest.fixture
def without_encoding(postgres: Database) -> Iterator[Database]:
    """A database that takes any bytes for text."""
    found = postgres.sibling(f"relay_test_{uuid.uuid4().hex[:12]}")
    with postgres.connect(autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {found.name} WITH ENCODING 'SQL_ASCII' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
        try:
            migrate(found.dsn)
            yield found
        finally:
            admin.execute(f"DROP DATABASE {found.name} WITH (FORCE)".encode())


@pytest.mark.parametrize("bad", [[1], [1_500, 1_501, 2_999], [3_000]])
def test_bytes_that_are_no_text(
    without_encoding: Database, relay: Start, stream: Callable[[], Stream], bad: list[int]
) -> None:
    dsn = without_encoding.dsn
    with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as connection:
        outbox = Outbox(connection)
        outbox.fill(ROWS, keys=64)
        connection.execute(
            "UPDATE outbox SET name = convert_from('\\xc328'::bytea, 'SQL_ASCII')"
            " WHERE id = ANY(%s)",
            (bad,),
        )
        process = relay(DATABASE_URL=dsn)
        outbox.await_empty("parked_at IS NULL", timeout=20)
        parked = connection.execute("SELECT id, last_error FROM outbox ORDER BY id").fetchall()
    assert [id_ for id_, _ in parked] == bad
    assert all("cannot be read" in error for _, error in parked)
    found = stream()
    assert (found.rows, found.inversions) == (ROWS - len(bad), 0)
    # What was published before the lease broke is published again, once.
    assert found.duplicates < ROWS
    assert process.is_running
