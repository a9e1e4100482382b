"""What a claim promises: fair, from a snapshot of its own, and by the index."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from relay.daemon import queries
from relay.daemon.holds import Exclusions
from relay.daemon.partitioner import partition
from relay.daemon.store import Store
from relay.settings import SHARDS, RelaySettings
from tests.support.outbox import Outbox
from tests.support.postgres import Database

NOTHING_HELD = Exclusions()
LEASE_SHARDS = 16
ROWS = 100_000


@pytest.fixture
def make_store(database: Database) -> Iterator[Callable[[], Store]]:
    """Connect a worker's view of the outbox, as it is configured now."""
    stores: list[Store] = []

    def make() -> Store:
        settings = RelaySettings(lease_shards=LEASE_SHARDS)
        stores.append(Store(database.dsn, "test", settings, "topic"))
        stores[-1].connect()
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def test_every_shard_gets_its_turn(outbox: Outbox, make_store: Callable[[], Store]) -> None:
    outbox.fill(2_000, keys=2_000)
    store = make_store()
    served: list[int] = []
    for _ in range(SHARDS // LEASE_SHARDS):
        # Nothing is published: all of them still have rows when the next lease is claimed.
        with store.lease(NOTHING_HELD) as lease:
            assert lease is not None
            served.extend(claimed.shard for claimed in lease.claimed)
    assert sorted(served) == list(range(SHARDS))


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_rows_are_read_as_they_are_after_the_claim(
    outbox: Outbox, database: Database, make_store: Callable[[], Store], isolation: str
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


@pytest.fixture
def explain(outbox: Outbox) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Run a statement as a lease does, with the statistics of an empty table; return its plan."""
    connection = outbox.connection
    connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = off)")
    connection.execute("ANALYZE outbox")
    outbox.fill(ROWS, keys=2_000)

    def run(statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
        settings = {"timeout_ms": "20000", "application_name": "test"}
        with connection.transaction():
            connection.execute(queries.LEASE_SETTINGS, settings)
            filled = queries.with_exclusions(statement)
            explained = connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {filled}".encode(),
                {"topic": "topic", "partitioner": "murmur2", **parameters},
            ).fetchone()
        assert explained is not None
        plan: dict[str, Any] = explained[0][0]
        return plan

    return run


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def rows_visited(explained: dict[str, Any]) -> int:
    """The rows of the outbox that a plan visited; it must do so by the index of pending rows."""
    assert "JIT" not in explained
    visits = [n for n in nodes(explained["Plan"]) if n.get("Relation Name") == "outbox"]
    assert {n["Node Type"] for n in visits} <= {"Index Scan", "Index Only Scan"}
    assert {n["Index Name"] for n in visits} == {"outbox_pending"}
    return sum(round(n["Actual Rows"] * n["Actual Loops"]) for n in visits)


def test_the_claim_looks_at_one_row_of_each_shard(
    explain: Callable[[str, dict[str, Any]], dict[str, Any]],
) -> None:
    explained = explain(
        queries.CLAIM,
        {"floors": [0] * SHARDS, "only": None, "requeues": 0, "last": 0, "shards": LEASE_SHARDS},
    )
    assert rows_visited(explained) <= SHARDS


def test_the_read_looks_at_the_rows_that_it_returns(
    explain: Callable[[str, dict[str, Any]], dict[str, Any]],
) -> None:
    explained = explain(
        queries.READ,
        {
            "shards": list(range(LEASE_SHARDS)),
            "after": [0] * LEASE_SHARDS,
            "upto": 2**63 - 1,
            "rows_per_shard": 100,
            "bytes": 4 << 20,
        },
    )
    assert rows_visited(explained) == 100 * LEASE_SHARDS


@pytest.mark.parametrize("partitioner", ["murmur2", "fnv1a"])
def test_the_database_computes_the_same_partitions(outbox: Outbox, partitioner: str) -> None:
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
