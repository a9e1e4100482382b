"""What a claim promises: fair, and from a snapshot of its own."""

import random
from contextlib import ExitStack

import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.kafka.partitioner import partition
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered
from relay.settings import SHARDS
from relay.settings.preset import Partitioner
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox
from tests.support.postgres import Database

NOTHING_HELD = Exclusions()


def test_every_shard_gets_its_turn(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.fill(2_000, keys=2_000)
    store = make_store(lease_shards=16)
    served: list[int] = []
    for _ in range(4):
        # Nothing is published: all of them still have rows when the next lease is claimed.
        with store.lease(NOTHING_HELD) as lease:
            assert lease is not None
            served.extend(claimed.shard for claimed in lease.claimed)
    assert sorted(served) == list(range(SHARDS))


def test_relays_share_the_shards_and_leave_room_for_one_more(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.fill(2_000, keys=2_000)
    with ExitStack() as leases:

        def share(store: Store) -> int:
            store.refresh_watermarks(NOTHING_HELD)
            lease = leases.enter_context(store.lease(NOTHING_HELD))
            assert lease is not None
            return len(lease.claimed)

        first, second = make_store(), make_store()
        with first.lease(NOTHING_HELD) as alone:
            assert alone is not None
            assert len(alone.claimed) == 32
            assert share(second) == 21
        assert share(first) == 21
        assert share(make_store()) == 16


def test_old_rows_are_read_before_new_ones_although_some_shards_have_more(
    outbox: Outbox, make_store: MakeStore
) -> None:
    # Of ten rows nine are of one key.
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) "
        "SELECT CASE WHEN g % 10 = 0 THEN 'rare' ELSE 'frequent' END, 'Filled', '{}' "
        "FROM generate_series(1, 2000) AS g"
    )
    store = make_store(chunk_rows=20, lease_rows=1_000)
    read: list[int] = []
    for _ in range(2):
        with store.lease(NOTHING_HELD) as lease:
            assert lease is not None
            # The first one is small, and settles nothing.
            read = [row.id for rows in lease.chunks() for row in rows]
    assert len(read) == 1_000
    # One chunk of the rare ones is 200 ids ahead; in equal parts all 200 of them would be read.
    assert max(read) <= 1_000 + 200


def test_a_lease_is_full_whatever_writers_leave_open(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    writer = database_connection.connection
    writer.execute("BEGIN")
    database_connection.emit("open")
    outbox.fill(1_500, keys=100)
    store = make_store(chunk_rows=40, lease_rows=400, lease_shards=SHARDS)
    read = []
    for _ in range(3):
        store.refresh_watermarks(NOTHING_HELD)
        with store.lease(NOTHING_HELD) as lease:
            assert lease is not None
            rows = [row for chunk in lease.chunks() for row in chunk]
            lease.settle([Delivered(rows)])
        read.append((len(rows), lease.progress.full))
    # The first one is small, since nothing tells that it could be full.
    small, *large = read
    assert small[0] <= SHARDS
    assert all(full and 400 - SHARDS < rows <= 400 for rows, full in large)
    writer.execute("ROLLBACK")


def test_a_large_lease_sees_nothing_of_what_comes_after_its_claim(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    # The writer's first row is older than all, and not to be seen; neither may be its second one.
    writer = database_connection.connection
    writer.execute("BEGIN")
    database_connection.emit("first", key="k")
    for number in range(50):
        outbox.emit(f"{number}", key="k")
    store = make_store(chunk_rows=8, lease_rows=1_000)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        assert sum(map(len, lease.chunks())) < 50
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        chunks = lease.chunks()
        read = [row.name for row in next(chunks)]
        database_connection.emit("second", key="k")
        writer.execute("COMMIT")
        read += [row.name for rows in chunks for row in rows]
    assert read == [str(number) for number in range(50)]


@pytest.mark.usefixtures("without_functions")
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_rows_are_read_as_they_are_after_the_claim(
    outbox: Outbox, database: Database, make_store: MakeStore, isolation: str
) -> None:
    # Whatever the database's default is: what the last holder of the shard deleted before it let
    # go of it must not be read again.
    outbox.connection.execute(
        f"ALTER DATABASE {database.name} SET default_transaction_isolation = '{isolation}'".encode()
    )
    outbox.emit("deleted", key="k")
    outbox.emit("stays", key="k")
    with make_store().lease(NOTHING_HELD) as lease:
        assert lease is not None
        outbox.connection.execute("DELETE FROM outbox WHERE name = 'deleted'")
        outbox.emit("new", key="k")
        read = [row.name for rows in lease.chunks() for row in rows]
    assert read == ["stays", "new"]


@pytest.mark.parametrize("partitioner", ["murmur2", "fnv1a"])
def test_the_database_computes_the_same_partitions(
    outbox: Outbox, partitioner: Partitioner
) -> None:
    randomly = random.Random(2026)
    alphabet = "abcXYZ019-_ äß€漢🚀\u2028"
    keys = ["".join(randomly.choices(alphabet, k=length)) for length in range(40) for _ in range(5)]
    for partitions in (1, 3, 12, 1_000):
        computed = outbox.connection.execute(
            "SELECT outbox_partition(%s, key, %s) FROM unnest(%s::text[]) WITH ORDINALITY "
            "AS keys (key, place) ORDER BY place",
            (partitioner, partitions, keys),
        ).fetchall()
        assert [row[0] for row in computed] == [
            partition(partitioner, key, partitions) for key in keys
        ]
