"""Lease limits: each setting that bounds a lease or a chunk ends it where it says."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from relay.daemon import timing
from relay.daemon.exclusions import Exclusions
from relay.daemon.rows import Row
from relay.settings import SHARDS
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox

NOTHING_HELD = Exclusions()
ROWS = 40
BYTES = 1_000


@pytest.fixture(autouse=True)
def rows_of_one_shard(outbox: Outbox) -> None:
    for _ in range(ROWS):
        outbox.emit("Row", json.dumps({"x": "x" * (BYTES - 10)}), key="k")


def lease(make_store: MakeStore, **settings: Any) -> tuple[list[Sequence[Row]], bool]:  # noqa: ANN401
    """The chunks of one lease, and whether it was full."""
    store = make_store(**settings)
    # As after a full lease: the next one has cursors.
    store._unread = set(range(SHARDS))  # noqa: SLF001
    store.refresh_watermarks(NOTHING_HELD)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        return list(lease.chunks()), lease.progress.full


def read(chunks: list[Sequence[Row]]) -> int:
    return sum(map(len, chunks))


def test_without_a_limit_in_the_way_a_lease_reads_all(make_store: MakeStore) -> None:
    chunks, full = lease(make_store)
    assert (read(chunks), full) == (ROWS, False)


def test_a_short_lease_ends_with_its_first_chunk(make_store: MakeStore) -> None:
    store = make_store(chunk_rows=8)
    store._unread = set(range(SHARDS))  # noqa: SLF001
    store.refresh_watermarks(NOTHING_HELD)
    with store.lease(NOTHING_HELD, short=True) as lease:
        assert lease is not None
        assert (read(list(lease.chunks())), lease.progress.full) == (2, True)


def test_a_lease_has_no_more_rows(make_store: MakeStore) -> None:
    chunks, full = lease(make_store, lease_rows=10, chunk_rows=4)
    assert (read(chunks), full) == (10, True)


def test_a_chunk_has_no_more_rows(make_store: MakeStore) -> None:
    chunks, _ = lease(make_store, chunk_rows=8)
    assert [len(rows) for rows in chunks] == [2, 8, 8, 8, 8, 6]


def test_a_lease_ends_with_the_chunk_that_fills_its_bytes(make_store: MakeStore) -> None:
    chunks, full = lease(make_store, lease_bytes=5 * BYTES, chunk_rows=4)
    assert full
    assert 5 <= read(chunks) <= 9


def test_a_chunk_ends_with_the_row_that_fills_its_bytes(make_store: MakeStore) -> None:
    chunks, _ = lease(make_store, chunk_bytes=3 * BYTES)
    assert read(chunks) == ROWS
    assert max(map(len, chunks)) <= 4


def test_no_chunk_is_asked_for_when_the_time_of_a_lease_is_over(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(timing, "boot_seconds", lambda: now)
    store = make_store(lease_seconds=3.0, chunk_rows=4)
    store._unread = set(range(SHARDS))  # noqa: SLF001
    store.refresh_watermarks(NOTHING_HELD)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        chunks = lease.chunks()
        assert len(next(chunks)) == 1
        now = 2.9
        assert len(next(chunks)) == 4
        now = 3.1
        # One more was asked for in time; it is under way.
        assert [len(rows) for rows in chunks] == [4]
        assert lease.progress.full


def test_the_budget_of_a_delivery_begins_with_its_lease(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(timing, "boot_seconds", lambda: now)
    with make_store(delivery_budget_seconds=7.0).lease(NOTHING_HELD) as lease:
        assert lease is not None
        assert lease.deadline.left() == 7.0
        now = 7.0
        assert lease.deadline.passed()


@pytest.mark.parametrize("name", ["idle_in_transaction_session_timeout", "statement_timeout"])
def test_postgresql_ends_what_a_lease_does_too_long(make_store: MakeStore, name: str) -> None:
    store = make_store(lease_timeout_seconds=17.0)
    with store.lease(NOTHING_HELD):
        shown = store._session.connection.execute(f"SHOW {name}").fetchone()  # noqa: SLF001
    assert shown == ("17s",)
