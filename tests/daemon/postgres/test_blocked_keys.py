"""Blocked keys: under RELAY_BLOCK_KEYS a parked row holds back later rows of its key."""

import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered
from relay.settings import SHARDS
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox

NOTHING_HELD = Exclusions()


@pytest.fixture
def other_key(outbox: Outbox) -> str:
    """A key of the same shard as "k"."""
    row = outbox.connection.execute(
        "SELECT 'key-' || g FROM generate_series(1, 10000) AS g"
        " WHERE outbox_shard_of('key-' || g) = outbox_shard_of('k') LIMIT 1"
    ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
def behind_a_parked_row(outbox: Outbox, other_key: str) -> Outbox:
    """Row 1 is parked, 2 is of its key, 3 of another one in the same shard, 4 has no key."""
    outbox.emit("parked", key="k")
    outbox.connection.execute("UPDATE outbox SET parked_at = now()")
    outbox.emit("behind it", key="k")
    outbox.emit("beside it", key=other_key)
    outbox.emit("without", key=None)
    return outbox


def deliver(store: Store) -> list[int]:
    """Settle all rows of one lease as delivered; return their ids."""
    store.refresh_watermarks(NOTHING_HELD)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        rows = [row for chunk in lease.chunks() for row in chunk]
        lease.settle([Delivered(rows)])
    return sorted(row.id for row in rows)


@pytest.mark.parametrize("cursors", [False, True])
@pytest.mark.parametrize(("block_keys", "read"), [(True, [3, 4]), (False, [2, 3, 4])])
def test_a_parked_row_holds_back_its_key_where_a_setting_says_so(
    behind_a_parked_row: Outbox,
    make_store: MakeStore,
    *,
    block_keys: bool,
    read: list[int],
    cursors: bool,
) -> None:
    store = make_store(block_keys=block_keys, lease_shards=64)
    if cursors:
        # As after a full lease.
        store._unread = set(range(SHARDS))  # noqa: SLF001
    assert deliver(store) == read
    assert behind_a_parked_row.count("parked_at IS NULL") == 3 - len(read)


def test_a_held_back_row_is_found_when_the_parked_one_is_gone(
    behind_a_parked_row: Outbox, make_store: MakeStore
) -> None:
    store = make_store(block_keys=True)
    assert deliver(store) == [3, 4]
    # By plain SQL: outbox_discard would reset the watermarks.
    behind_a_parked_row.connection.execute("DELETE FROM outbox WHERE parked_at IS NOT NULL")
    assert deliver(store) == [2]


def test_parked_rows_without_a_key_hold_back_nothing(outbox: Outbox, make_store: MakeStore) -> None:
    # So many that those which go share the shards of the parked ones.
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload) SELECT 'n', '{}' FROM generate_series(1, 400)"
    )
    outbox.connection.execute("UPDATE outbox SET parked_at = now() WHERE id <= 200")
    store = make_store(block_keys=True, lease_shards=64)
    # As after a full lease: the next one has cursors, and reads all.
    store._unread = set(range(SHARDS))  # noqa: SLF001
    assert len(deliver(store)) == 200
