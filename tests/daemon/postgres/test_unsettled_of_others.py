"""Rows that another relay published and had to leave: whoever has the shard next knows them."""

from collections.abc import Sequence

import pytest

from relay.daemon.assembly import make_roster, make_sampler
from relay.daemon.postgres.claims import Claimed
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered
from relay.daemon.telemetry.metrics import NAMESPACE, Metrics
from tests.daemon.conftest import MakeStore
from tests.daemon.postgres.test_unsettled import NOTHING_HELD, publish, read
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.settings import streaming


@pytest.fixture(params=["small", "large"], autouse=True)
def lease(request: pytest.FixtureRequest) -> None:
    """Each with the functions of small leases, and without them."""
    if request.param == "large":
        request.getfixturevalue("without_functions")


def relay(make_store: MakeStore) -> Store:
    return make_store(lease_shards=64)


def lock(outbox: Outbox, statement: str) -> None:
    outbox.connection.execute("BEGIN")
    outbox.connection.execute(statement.encode())


def noted(outbox: Outbox) -> list[int]:
    found = outbox.connection.execute(
        "SELECT id::bigint FROM outbox_shard, jsonb_object_keys(unsettled) AS id ORDER BY 1"
    )
    return [id_ for (id_,) in found]


def claimed(outbox: Outbox, store: Store) -> Sequence[Claimed]:
    """Publish a row of each key; return the shards."""
    outbox.fill(3, keys=3)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        lease.settle([Delivered(rows) for rows in lease.chunks()])
    return lease.claimed


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM outbox WHERE id IN (3, 4)",
        "UPDATE outbox SET attempts = 1 WHERE id IN (3, 4)",
        "SELECT FROM outbox WHERE id IN (3, 4) FOR KEY SHARE",
    ],
)
def test_a_locked_row_is_published_by_one_relay_and_by_no_other(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore, statement: str
) -> None:
    outbox.fill(10, keys=3)
    lock(database_connection, statement)
    assert publish(relay(make_store)) == list(range(1, 11))
    assert noted(outbox) == [3, 4]
    assert read(relay(make_store)) == []
    outbox.fill(5, keys=3)
    # One that has just started, and a second one after it has learned and published.
    assert publish(relay(make_store)) == list(range(11, 16))
    # To learn of them it claims twice, and the first time must not look like a death.
    assert not [shard for shard in claimed(outbox, relay(make_store)) if shard.died]
    assert read(relay(make_store)) == []
    assert noted(outbox) == [3, 4]
    database_connection.connection.execute("ROLLBACK")
    last = relay(make_store)
    assert read(last) == []
    last.refresh_watermarks(NOTHING_HELD)
    assert outbox.count() == 0
    outbox.fill(3, keys=3)
    assert publish(last) == [19, 20, 21]
    # A lease of every shard, which finds nothing of them there any more.
    assert (noted(outbox), outbox.count()) == ([], 0)


def test_an_id_that_is_another_rows_now_is_published(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    outbox.fill(5, keys=1)
    lock(database_connection, "SELECT FROM outbox WHERE id = 3 FOR UPDATE")
    first = relay(make_store)
    assert publish(first) == [1, 2, 3, 4, 5]
    database_connection.connection.execute("ROLLBACK")
    outbox.connection.execute("TRUNCATE outbox RESTART IDENTITY")
    outbox.fill(5, keys=1)
    assert [row.id for row in read(first)] == [1, 2, 3, 4, 5]
    assert publish(relay(make_store)) == [1, 2, 3, 4, 5]
    assert (noted(outbox), outbox.count()) == ([], 0)


def test_a_thousand_rows_of_a_shard_are_noted_at_most(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    outbox.fill(1_200, keys=1)
    lock(database_connection, "DELETE FROM outbox")
    store, published = relay(make_store), 0
    while published < 1_200:
        published += len(publish(store))
    assert noted(outbox) == list(range(1, 1_001))


def test_published_rows_are_no_lag(
    database: Database, outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    outbox.emit("published")
    outbox.connection.execute("UPDATE outbox SET created_at = now() - interval '1 hour'")
    lock(database_connection, "SELECT FROM outbox FOR UPDATE")
    publish(relay(make_store))
    outbox.emit("waits")
    settings, metrics = streaming(dsn=database.dsn, bootstrap="nowhere", topic="t"), Metrics()
    sampler = make_sampler(settings, metrics, make_roster(settings, 5.0))
    sampler.sample()
    sampler._session.close()  # noqa: SLF001
    shown = metrics.registry.get_sample_value
    names = ("pending", "held_rows", "lag_seconds")
    pending, held, lag = (shown(f"{NAMESPACE}_{name}") for name in names)
    assert (pending, held) == (1.0, 0.0)
    assert lag is not None
    assert lag < 600.0
