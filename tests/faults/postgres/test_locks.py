"""Somebody else's locks: the relay waits with a limit, and piles up nothing on the server."""

import threading
import time
from collections.abc import Callable, Mapping

import pytest

from relay.database.locking import LOCK_TIMEOUT_MS
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.load import stretched
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
    process.wait_for_log("canceling statement due to lock timeout")
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
    # The relay gives up before the server does, and what it leaves behind there must end too.
    outbox.fill(ROWS, keys=64)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("LOCK TABLE outbox_lease IN ACCESS EXCLUSIVE MODE")
    process = relay(**impatient)
    assert most_backends_over(outbox, 5, process) <= 6
    eventually(lambda: backends(outbox, "query_start < now() - interval '8 s'") == 0)
    assert outbox.count("parked_at IS NOT NULL") == 0
    other.execute("ROLLBACK")
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    assert metric(process, "parked_total") == 0


LOCKS = [
    "DELETE FROM outbox WHERE id = 15",
    "UPDATE outbox SET attempts = 1 WHERE id = 15",
    "SELECT FROM outbox WHERE id = 15 FOR KEY SHARE",
]


@pytest.mark.parametrize("statement", LOCKS)
def test_a_row_that_somebody_has_locked_holds_up_no_other(
    outbox: Outbox,
    database_connection: Outbox,
    relay: Start,
    stream: Callable[[], Stream],
    statement: str,
) -> None:
    outbox.fill(ROWS, keys=64)
    other = database_connection.connection
    other.execute("SET application_name = 'a curious person'")
    other.execute("BEGIN")
    other.execute(statement.encode())
    process = relay()
    outbox.await_empty("id <> 15", timeout=10)
    entry = process.wait_for_log("has it locked")
    assert (entry["pid"], entry["application"]) == (
        other.info.backend_pid,
        "a curious person",
    )
    assert metric(process, "rows_locked") == 1
    second = relay()
    eventually(lambda: metric(second, "rows_locked") == 1, what="known to the other relay")
    outbox.emit("later", key=None)
    outbox.await_empty("id <> 15", timeout=10)
    other.execute("ROLLBACK")
    outbox.await_empty("true", timeout=10)
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (ROWS + 1, 0, 0)
    assert metric(process, "leases_total", outcome="lost") == 0


def test_more_locked_rows_than_a_lease_has(
    outbox: Outbox, database_connection: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    outbox.fill(ROWS, keys=64)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("DELETE FROM outbox")
    relay(RELAY_LEASE_ROWS="200")
    outbox.fill(ROWS, keys=64)
    outbox.await_empty(f"id > {ROWS}", timeout=20)
    other.execute("ROLLBACK")
    outbox.await_empty("true", timeout=20)
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (2 * ROWS, 0, 0)


@pytest.mark.parametrize("table", ["outbox_shard", "outbox_lease"])
def test_whoever_locks_shards_and_rolls_back_has_not_died(
    outbox: Outbox, database_connection: Outbox, relay: Start, table: str
) -> None:
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute(f"SELECT FROM {table} FOR UPDATE".encode())
    other.execute("ROLLBACK")
    process = relay()
    outbox.fill(ROWS, keys=64)
    outbox.await_empty("true")
    assert not [entry for entry in process.logs if "died" in entry["message"]]


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
    assert max(waits) < LOCK_TIMEOUT_MS / 1000 + stretched(0.5)
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (len(waits), 0, 0)
    assert all(process.is_running for process in relays)
