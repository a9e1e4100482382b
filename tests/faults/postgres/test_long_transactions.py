"""Transactions that stay open for the whole run pin dead rows, and must not slow the relay down."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database, temporary_database

pytestmark = pytest.mark.kafka

ROWS = 40_000
CHUNK_ROWS = 10
# Of a stream that goes on while a transaction stays open.
ROUNDS = 20
ROUND_ROWS = 1_000


@pytest.fixture
def hold_open(postgres: Database, database: Database) -> Iterator[Callable[[str], None]]:
    """Open a transaction that pins what is deleted from now on: a "reading" or a "writing" one."""
    with ExitStack() as stack:

        def open_(kind: str) -> None:
            if kind == "reading":
                reader = stack.enter_context(database.connect())
                reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                reader.execute("SELECT count(*) FROM outbox")
            else:
                elsewhere = stack.enter_context(temporary_database(postgres))
                writer = stack.enter_context(elsewhere.connect())
                writer.execute("CREATE TABLE anything (id integer)")

        yield open_


def work_done(outbox: Outbox) -> tuple[int, int]:
    """Heap pages of the outbox that were read so far, and how often its claim index was used."""
    row = outbox.connection.execute(
        "SELECT t.heap_blks_hit + t.heap_blks_read, i.idx_scan FROM pg_statio_user_tables AS t "
        "JOIN pg_stat_user_indexes AS i USING (relid) WHERE i.indexrelname = 'outbox_pending'"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def dead_rows(outbox: Outbox) -> int:
    """Rows that PostgreSQL still has to keep, as its statistics say."""
    row = outbox.connection.execute(
        "SELECT n_live_tup + n_dead_tup FROM pg_stat_user_tables WHERE relid = 'outbox'::regclass"
    ).fetchone()
    assert row is not None
    return int(row[0])


def pages_a_probe(outbox: Outbox) -> float:
    """Heap pages that one look at one shard costs an idle relay."""
    pages_before, probes_before = work_done(outbox)
    # Connections report what they did once a second at most.
    eventually(lambda: work_done(outbox)[1] > probes_before, what="probes are reported")
    pages, probes = work_done(outbox)
    return (pages - pages_before) / (probes - probes_before)


def has_read(outbox: Outbox) -> bool:
    """Whether a relay waits within its lease, with the answer to a read."""
    row = outbox.connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state = 'idle in transaction' AND query LIKE 'FETCH%'"
    ).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize("kind", ["reading", "writing"])
def test_a_transaction_held_open_for_the_whole_run(
    outbox: Outbox,
    relay: Start,
    hold_open: Callable[[str], None],
    stream: Callable[[], Stream],
    kind: str,
) -> None:
    # It would take away what only a transaction of another database pins, whenever it comes by.
    outbox.connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = false)")
    hold_open(kind)
    relay(RELAY_SAMPLE_SECONDS="1")
    outbox.fill(ROWS, keys=64)
    outbox.await_empty("true", timeout=90)
    assert stream().rows == ROWS
    # Connections report what they did some time later.
    eventually(lambda: dead_rows(outbox) >= ROWS, timeout=30)
    # A probe that walked over the dead rows of its shard would touch some six hundred.
    eventually(lambda: pages_a_probe(outbox) < 0.2, timeout=30)
    outbox.emit("late")
    outbox.await_empty("true")


def test_a_writer_whose_transaction_commits_late(
    outbox: Outbox, database_connection: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    # The watermarks wait for it, whether it stays open for seconds or for minutes.
    late = database_connection.connection
    late.execute("BEGIN")
    late.execute("SELECT outbox_emit('late', '{}', 'other key')")
    process = relay(RELAY_LEASE_ROWS="500")
    for _ in range(ROUNDS):
        outbox.fill(ROUND_ROWS, keys=64)
        outbox.await_empty()
    late.execute("COMMIT")
    eventually(lambda: outbox.count() == 0, timeout=10)
    found = stream()
    assert (found.rows, found.duplicates) == (ROUNDS * ROUND_ROWS + 1, 0)
    assert process.is_running


def test_a_writer_commits_between_two_chunks_of_a_lease(
    outbox: Outbox, database_connection: Outbox, sabotaged: Start, stream: Callable[[], Stream]
) -> None:
    # Its first row is older than what the first chunk read, and was not to be seen then. Its
    # second row is newer than all, and must not be found by the chunk that follows.
    writer = database_connection.connection
    writer.execute("BEGIN")
    database_connection.emit("first of its key", key="k")
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) SELECT neighbour, 'n', '{}' "
        "FROM (SELECT 'key-' || g AS neighbour FROM generate_series(1, 10000) AS g) AS keys "
        "WHERE outbox_shard_of(neighbour) = outbox_shard_of('k') LIMIT %s",
        (3 * CHUNK_ROWS,),
    )
    # The third time that it asks for a chunk: after a small lease, which asks twice.
    relay = sabotaged("SIGSTOP", "read", 3, RELAY_CHUNK_ROWS=str(CHUNK_ROWS))
    relay.wait_until_frozen()
    eventually(lambda: has_read(outbox), what="the first chunk was read")
    database_connection.emit("second of its key", key="k")
    writer.execute("COMMIT")
    relay.send_signal(signal.SIGCONT)
    outbox.await_empty("true")
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (3 * CHUNK_ROWS + 2, 0, 0)
