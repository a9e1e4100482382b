"""Rows that were published and are still there: remembered, looked past, and deleted later."""

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered, Reason, Rejected, Row
from tests.daemon.conftest import MakeStore
from tests.daemon.postgres.test_blind_spot import missed
from tests.support.outbox import Outbox

NOTHING_HELD = Exclusions()


def read(store: Store) -> list[Row]:
    """The rows of a lease that settles nothing."""
    with store.lease(NOTHING_HELD) as lease:
        return [] if lease is None else [row for rows in lease.chunks() for row in rows]


def publish(
    store: Store, *, at_most: int = 1_000, at_the_end: Callable[[], object] = lambda: None
) -> list[int]:
    """The ids of the rows of a lease of which the first ones are delivered."""
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        rows = [row for chunk in lease.chunks() for row in chunk]
        lease.settle([Delivered(rows[:at_most])])
        at_the_end()
    return sorted(row.id for row in rows)


def end_other_connections(outbox: Outbox) -> None:
    outbox.connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'outbox-relay%'"
    )


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store(lease_shards=64)


def test_what_a_lost_lease_had_published_is_deleted_by_its_relay(
    outbox: Outbox, store: Store
) -> None:
    outbox.fill(30, keys=10)
    with pytest.raises(psycopg.OperationalError):
        publish(store, at_the_end=lambda: end_other_connections(outbox))
    assert outbox.count() == 30
    store.connect()
    assert outbox.count() == 0


def test_rows_of_a_lost_lease_that_were_not_settled_are_read_again(
    outbox: Outbox, store: Store
) -> None:
    outbox.fill(30, keys=10)
    with pytest.raises(psycopg.OperationalError):
        publish(store, at_most=10, at_the_end=lambda: end_other_connections(outbox))
    store.connect()
    assert outbox.count() == 20
    assert sorted(row.id for row in read(store)) == list(range(11, 31))


def test_an_id_that_is_another_rows_now_is_not_deleted(outbox: Outbox, store: Store) -> None:
    outbox.fill(3, keys=3)
    with pytest.raises(psycopg.OperationalError):
        publish(store, at_the_end=lambda: end_other_connections(outbox))
    outbox.connection.execute("TRUNCATE outbox RESTART IDENTITY")
    outbox.fill(3, keys=3)
    store.connect()
    assert publish(store) == [1, 2, 3]
    assert outbox.count() == 0


def test_a_locked_row_is_looked_past_and_named_until_it_is_free(
    outbox: Outbox, database_connection: Outbox, store: Store
) -> None:
    outbox.fill(10, keys=10)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("SELECT FROM outbox WHERE id IN (3, 4) FOR UPDATE")
    assert publish(store) == list(range(1, 11))
    assert sorted((row.id, row.pid) for row in store.locked) == [
        (3, other.info.backend_pid),
        (4, other.info.backend_pid),
    ]
    assert read(store) == []
    store.settle_unsettled()
    assert outbox.count() == 2
    other.execute("ROLLBACK")
    store.settle_unsettled()
    assert (outbox.count(), store.locked) == (0, [])


def test_a_locked_row_is_not_missed_though_others_were_published_after_it(
    outbox: Outbox, database_connection: Outbox, store: Store
) -> None:
    outbox.fill(10, keys=1)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("SELECT FROM outbox WHERE id = 3 FOR UPDATE")
    publish(store)
    store.refresh_watermarks(NOTHING_HELD)
    outbox.fill(10, keys=1)
    publish(store)
    view = store.refresh_watermarks(NOTHING_HELD)
    assert max(view.watermarks) > 3
    assert (outbox.count(), missed(store, view)) == (1, [])
    # A relay that does not know of it would miss it.
    assert missed(store, replace(view, unsettled={})) == [3]


def test_a_row_that_its_locker_deletes_is_forgotten(
    outbox: Outbox, database_connection: Outbox, store: Store
) -> None:
    outbox.fill(10, keys=10)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("DELETE FROM outbox WHERE id = 3")
    publish(store)
    other.execute("COMMIT")
    store.refresh_watermarks(NOTHING_HELD)
    assert (outbox.count(), store.locked) == (0, [])


def test_what_a_dead_transaction_had_deleted_is_deleted_all_the_same(
    outbox: Outbox, database_connection: Outbox, store: Store
) -> None:
    # Its rows bear the mark of a transaction that was rolled back, as locked ones do.
    outbox.fill(30, keys=10)
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("DELETE FROM outbox")
    other.execute("ROLLBACK")
    assert publish(store) == list(range(1, 31))
    assert (outbox.count(), store.locked) == (0, ())


@pytest.mark.parametrize("attempts", [0, 32_767])
def test_a_locked_row_is_parked_later(
    outbox: Outbox, database_connection: Outbox, store: Store, attempts: int
) -> None:
    outbox.emit("bad")
    outbox.connection.execute("UPDATE outbox SET attempts = %s", (attempts,))
    other = database_connection.connection
    other.execute("BEGIN")
    other.execute("SELECT FROM outbox FOR KEY SHARE")
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        ((row,),) = lease.chunks()
        lease.settle([Rejected(row, Reason.TOO_LARGE, "too large … by\0 far")])
    assert outbox.count("parked_at IS NULL") == 1
    assert read(store) == []
    other.execute("ROLLBACK")
    store.settle_unsettled()
    found = outbox.connection.execute("SELECT attempts, last_error FROM outbox").fetchall()
    assert found == [(min(attempts + 1, 32_767), "too large \\u2026 by far")]
