"""Somebody else's locks: the relay waits with a limit, and piles up nothing on the server."""

import threading
import time
from collections.abc import Callable, Mapping

import pytest

from relay.database.locking import LOCK_TIMEOUT_MS
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

ROWS = 2_000


def backends(outbox: Outbox, where: str = "true") -> int:
    """How many connections of relays the server has now."""
    row = outbox.connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        f"AND application_name LIKE 'outbox-relay%' AND {where}"
    ).fetchone()
    assert row is not None
    return int(row[0])


def most_backends_over(outbox: Outbox, attempts: int, process: ProcessUnderTest) -> int:
    """The largest number of connections while the relay tries so many times in vain."""
    most = 0
    for _ in range(attempts):
        seen = len(process.logs)
        process.wait_for_log("PostgreSQL at", after=seen)
        most = max(most, backends(outbox))
    return most


def test_lock_on_the_table_by_ddl(
    outbox: Outbox,
    database_connection: Outbox,
    relay: Start,
    impatient: Mapping[str, str],
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> None:
    process = relay(**impatient)
    process.wait_for_log("relaying to")
    ddl = database_connection.connection
    ddl.execute("BEGIN")
    outbox.fill(ROWS, keys=64)
    ddl.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    process.wait_for_log("no answer from the database for 2 s")
    assert most_backends_over(outbox, 4, process) <= 6
    ddl.execute("ROLLBACK")
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    assert metric(process, "parked_total") == 0
    found = stream()
    assert (found.rows, found.inversions) == (ROWS, 0)


def test_statement_timeout(
    outbox: Outbox,
    database_connection: Outbox,
    relay: Start,
    impatient: Mapping[str, str],
    recovery: Recovery,
) -> None:
    # A row that somebody has locked cannot be deleted. The relay gives up before the server does,
    # and what it leaves behind there must end too.
    outbox.fill(ROWS, keys=64)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("SELECT FROM outbox ORDER BY id LIMIT 1 FOR UPDATE")
    process = relay(**impatient)
    assert most_backends_over(outbox, 5, process) <= 6
    eventually(lambda: backends(outbox, "query_start < now() - interval '8 s'") == 0)
    assert outbox.count("parked_at IS NOT NULL") == 0
    other.execute("ROLLBACK")
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    assert metric(process, "parked_total") == 0


def test_a_schema_migration_during_load(
    database: Database,
    outbox: Outbox,
    relay: Start,
    run_relay: Start,
    environment: dict[str, str],
    stream: Callable[[], Stream],
    record_property: Callable[[str, object], None],
) -> None:
    relays = [relay(RELAY_LEASE_ROWS="500") for _ in range(2)]
    migrated = threading.Event()
    waits: list[float] = []

    def write() -> None:
        with database.connect(autocommit=True) as connection:
            while not migrated.is_set():
                begun = time.monotonic()
                Outbox(connection).emit(f"row {len(waits)}", key=str(len(waits) % 10))
                waits.append(time.monotonic() - begun)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            migration = run_relay("migrate", "--again", environment=environment)
            assert migration.wait(60) == 0, migration.output
    finally:
        migrated.set()
        writer.join()
    outbox.await_empty("true")
    record_property("longest_write_seconds", round(max(waits), 3))
    # Half a second for a busy machine: behind a lock that waits without a limit they would queue.
    assert max(waits) < LOCK_TIMEOUT_MS / 1000 + 0.5
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (len(waits), 0, 0)
    assert all(process.is_running for process in relays)
