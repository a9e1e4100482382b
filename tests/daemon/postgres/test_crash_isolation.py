"""Who is blamed when a lease was lost."""

import psycopg
import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.crash_isolation import Deaths, Step, TakeAlone, isolate
from relay.daemon.postgres.lease import Lease
from relay.daemon.rows import Delivered
from tests.daemon.conftest import MakeStore
from tests.support.eventually import eventually
from tests.support.outbox import Outbox

ROWS = 2_000


@pytest.mark.parametrize(("shards", "someone_blamed"), [(1, True), (2, False)])
def test_only_a_lease_of_one_isolated_shard_can_have_published(
    outbox: Outbox, make_store: MakeStore, shards: int, *, someone_blamed: bool
) -> None:
    outbox.fill(ROWS, keys=ROWS)
    outbox.connection.execute("UPDATE outbox_shard SET isolated_until = %s", (ROWS,))
    with (
        pytest.raises(psycopg.OperationalError),
        make_store(lease_shards=shards).lease(Exclusions()),
    ):
        outbox.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with make_store().lease(Exclusions()) as lease:
        assert lease is not None
        assert isinstance(isolate(lease), Deaths)
    assert (outbox.count("attempts > 0") > 0) == someone_blamed


def test_a_dead_lease_is_isolated_once_and_not_once_a_shard(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.fill(ROWS, keys=ROWS)
    with (
        pytest.raises(psycopg.OperationalError),
        make_store(lease_shards=64).lease(Exclusions()),
    ):
        outbox.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    # The successor claims a few shards at a time, and isolates them all at the first look.
    with make_store(lease_shards=8, lease_rows=200).lease(Exclusions()) as lease:
        assert lease is not None
        assert isinstance(isolate(lease), Deaths)
    isolated = "id <= (SELECT isolated_until FROM outbox_shard AS s WHERE s.shard = outbox.shard)"
    assert outbox.count(isolated) == 200
    assert outbox.count(f"{isolated} AND id > 200") == 0


def test_a_lease_knows_that_its_connection_is_gone(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.fill(ROWS, keys=ROWS)
    with (
        pytest.raises(psycopg.OperationalError),
        make_store(lease_shards=64).lease(Exclusions()) as lease,
    ):
        sees_its_end(lease, outbox)


def sees_its_end(lease: Lease | None, outbox: Outbox) -> None:
    assert lease is not None
    assert lease.alive()
    outbox.connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    eventually(lambda: not lease.alive())


def test_an_isolated_shard_is_done_with_its_last_step(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.fill(ROWS, keys=1)
    (shard,) = outbox.connection.execute("SELECT DISTINCT shard FROM outbox").fetchone() or ()
    outbox.connection.execute(
        "UPDATE outbox_shard SET isolated_until = 1500 WHERE shard = %s", (shard,)
    )
    store = make_store()
    taken = []
    for _ in range(2):
        with store.lease(Exclusions(), only=shard) as lease:
            assert lease is not None
            assert isolate(lease) == Step(parked=None)
            for rows in lease.chunks():
                taken.append(len(rows))
                lease.settle([Delivered(rows)])
    assert sum(taken) == 1_500
    with store.lease(Exclusions()) as lease:
        assert lease is not None
        assert isolate(lease) is None


def test_isolated_shards_are_told_all_at_once(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.fill(ROWS, keys=ROWS)
    outbox.connection.execute("UPDATE outbox_shard SET isolated_until = 9 WHERE shard IN (3, 5)")
    with make_store(lease_shards=64).lease(Exclusions()) as lease:
        assert lease is not None
        assert isolate(lease) == TakeAlone([3, 5])


@pytest.mark.parametrize("table", ["outbox_shard", "outbox_lease"])
def test_a_lock_of_somebody_else_that_was_rolled_back_is_no_death(
    outbox: Outbox, make_store: MakeStore, table: str
) -> None:
    outbox.fill(ROWS, keys=ROWS)
    outbox.connection.execute("BEGIN")
    outbox.connection.execute(f"SELECT FROM {table} FOR UPDATE".encode())
    outbox.connection.execute("ROLLBACK")
    with make_store(lease_shards=64).lease(Exclusions()) as lease:
        assert lease is not None
        assert isolate(lease) is None


def test_a_relay_that_lives_waits_for_nobody_who_has_a_blamed_row_locked(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    outbox.emit("blamed")
    outbox.emit("blamed as well")
    outbox.connection.execute(
        "UPDATE outbox SET attempts = 1, last_error = 'in the transactions 4711'"
    )
    outbox.connection.execute("UPDATE outbox_shard SET isolated_until = 2")
    store = make_store()
    store._lost._shards[4711] = list(range(64))  # noqa: SLF001
    with database_connection.connection.transaction():
        database_connection.connection.execute("SELECT FROM outbox WHERE id = 1 FOR UPDATE")
        store.connect()
    assert not store._lost._shards  # noqa: SLF001
    assert outbox.count("attempts = 0 AND last_error IS NULL AND id = 2") == 1
