"""Small leases in two messages: as exact as large ones. Emptiness: known from one look."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.postgres.lease import SmallLease
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered, Reason, Rejected, Row
from relay.database.connection import BoundedConnection
from tests.daemon.conftest import MakeStore
from tests.support.eventually import eventually
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

NOTHING_HELD = Exclusions()
BARRIER = 4711
FUNCTIONS = "outbox_claim, outbox_settle, outbox_drawn"


def deliver(store: Store, *, small: bool = True) -> list[Row]:
    """Relay one lease, and return its rows."""
    with store.lease(NOTHING_HELD) as lease:
        if lease is None:
            return []
        assert isinstance(lease, SmallLease) == small
        rows = [row for chunk in lease.chunks() for row in chunk]
        lease.settle([Delivered(rows)])
    return rows


@contextmanager
def altered(outbox: Outbox, old: str, new: str) -> Iterator[None]:
    """outbox_claim() with one part of it replaced."""
    found = outbox.connection.execute(
        "SELECT pg_get_functiondef('outbox_claim'::regproc)"
    ).fetchone()
    assert found is not None
    assert old in found[0]
    outbox.connection.execute(found[0].replace(old, new))
    yield
    outbox.connection.execute(found[0])


def test_both_ways_read_the_same(outbox: Outbox, make_store: MakeStore) -> None:
    for size in (1, 9_000):
        outbox.connection.execute(
            "INSERT INTO outbox (topic, key, name, payload, metadata, headers, replayed) "
            "SELECT 'topic', 'key-' || g, 'Name', json_build_object('a', repeat('x', %s)), "
            '\'{"versions": {}}\', \'{"traceparent": "x"}\', g %% 2 = 0 '
            "FROM generate_series(1, 20) AS g",
            (size,),
        )
    with outbox.as_version_1() as connection:
        connection.execute("INSERT INTO outbox (name, payload, key, created_at) "
                           "VALUES ('Old', '{}', repeat('k', 2000), 'epoch')")  # fmt: skip
    read: list[list[Row]] = []
    claims: list[Any] = []
    for _ in range(2):
        store = make_store()
        with store.lease(NOTHING_HELD, None, 100_000) as lease:
            assert lease is not None
            assert isinstance(lease, SmallLease) == (not read)
            claims.append([(c.shard, c.after, c.isolated_until, c.died) for c in lease.claimed])
            read.append([row for chunk in lease.chunks() for row in chunk])
        outbox.connection.execute(f"DROP FUNCTION IF EXISTS {FUNCTIONS}".encode())
    assert read[0] == read[1]
    assert claims[0] == claims[1]
    assert len(read[0]) == 41


def test_both_ways_name_the_same_epoch(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.emit("one")
    store = make_store()
    store.refresh_watermarks(NOTHING_HELD)
    drawn = outbox.connection.execute(queries.PROBE_DRAWN.encode()).fetchone()
    assert drawn == (store.watermarks.drawn, store.watermarks.epoch) != (0, "")


def test_a_small_lease_is_two_messages(
    outbox: Outbox, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.emit("one")
    store = make_store()
    sent: list[str] = []
    exchange = BoundedConnection.exchange

    def noting(self: BoundedConnection, statements: str) -> list[tuple[Any, ...]]:
        sent.append(statements)
        return exchange(self, statements)

    # Whatever else is sent would be planned anew.
    monkeypatch.delattr(psycopg.Cursor, "execute")
    monkeypatch.setattr(BoundedConnection, "exchange", noting)
    assert len(deliver(store)) == 1
    monkeypatch.undo()
    assert len(sent) == 2
    assert outbox.count() == 0


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_rows_are_read_as_they_are_after_the_claim(
    outbox: Outbox, database: Database, make_store: MakeStore, isolation: str
) -> None:
    outbox.connection.execute(
        f"ALTER DATABASE {database.name} SET default_transaction_isolation = '{isolation}'".encode()
    )
    outbox.emit("deleted", key="k")
    outbox.emit("stays", key="k")
    read: list[str] = []
    store = make_store()
    wait = f"PERFORM pg_advisory_xact_lock_shared({BARRIER}); rows_max := greatest"
    with altered(outbox, "rows_max := greatest", wait):
        outbox.connection.execute("SELECT pg_advisory_lock(%s)", (BARRIER,))
        relaying = threading.Thread(target=lambda: read.extend(r.name for r in deliver(store)))
        relaying.start()
        eventually(lambda: database.waiting() == 1)
        outbox.connection.execute("DELETE FROM outbox WHERE name = 'deleted'")
        outbox.emit("new", key="k")
        outbox.connection.execute("SELECT pg_advisory_unlock(%s)", (BARRIER,))
        relaying.join()
    assert read == ["stays", "new"]


def test_a_shard_is_one_relays_alone(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.emit("one")
    first, second = make_store(), make_store()
    with first.lease(NOTHING_HELD) as lease:
        assert isinstance(lease, SmallLease)
        assert deliver(second) == []
    assert len(deliver(second)) == 1


def test_a_locked_row_is_published_once_and_leaves_later(
    outbox: Outbox, database_connection: Outbox, make_store: MakeStore
) -> None:
    outbox.emit("locked", key="a")
    outbox.emit("free", key="b")
    other = database_connection.connection
    store = make_store()
    other.execute("BEGIN")
    other.execute("SELECT FROM outbox WHERE name = 'locked' FOR UPDATE")
    assert {row.name for row in deliver(store)} == {"locked", "free"}
    assert outbox.count() == 1
    assert [row.pid for row in store.locked] == [other.info.backend_pid]
    assert deliver(store, small=False) == []
    other.execute("ROLLBACK")
    store.refresh_watermarks(NOTHING_HELD)
    assert outbox.count() == 0


def test_a_row_that_was_locked_and_let_go_leaves_with_the_others(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.emit("one")
    with outbox.connection.transaction(force_rollback=True):
        outbox.connection.execute("SELECT FROM outbox FOR UPDATE")
    assert len(deliver(make_store())) == 1
    assert outbox.count() == 0


def test_a_rejected_row_is_parked_and_the_others_leave(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.emit("good", key="a")
    outbox.emit("bad", key="b")
    with make_store().lease(NOTHING_HELD) as lease:
        assert lease is not None
        rows = {row.name: row for chunk in lease.chunks() for row in chunk}
        lease.settle([Delivered([rows["good"]]), Rejected(rows["bad"], Reason.REFUSED, "no")])
    assert outbox.count() == outbox.count("parked_at IS NOT NULL AND last_error = 'no'") == 1


@pytest.mark.parametrize("isolated", [True, False])
def test_nothing_is_read_in_vain_of_shards_in_crash_isolation(
    outbox: Outbox,
    make_store: MakeStore,
    isolated: bool,  # noqa: FBT001 - a parameter
) -> None:
    outbox.emit("one", key="a")
    outbox.emit("two", key="b")
    if isolated:
        outbox.connection.execute(
            "UPDATE outbox_shard SET isolated_until = 1000 WHERE shard = outbox_shard_of('a')"
        )
    with make_store().lease(NOTHING_HELD) as lease:
        assert isinstance(lease, SmallLease)
        assert len(lease.claimed) == 2
        assert sum(map(len, lease.chunks())) == (0 if isolated else 2)


def test_after_a_full_lease_the_next_one_has_cursors(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.fill(2_000, keys=200)
    store = make_store()
    assert len(deliver(store)) <= 500
    assert len(deliver(store, small=False)) >= 500


def test_a_small_lease_asks_for_no_more_rights_than_a_relay_has(
    outbox: Outbox, database: Database, make_store: MakeStore
) -> None:
    outbox.emit("one")
    with member(database, "outbox_relay") as user:
        store = make_store(dsn=user.dsn)
        assert len(deliver(store)) == 1
        store.refresh_watermarks(NOTHING_HELD)
        assert store.nothing_new()
        store.close()


# -- emptiness --------------------------------------------------------------------------------


@pytest.fixture
def drained(outbox: Outbox, make_store: MakeStore) -> Store:
    """A store that has found the outbox empty."""
    outbox.fill(3, keys=3)
    store = make_store()
    deliver(store)
    assert not store.nothing_new()
    store.refresh_watermarks(NOTHING_HELD)
    assert store.empty
    assert store.nothing_new()
    return store


NEWS = {
    "a row": "SELECT outbox_emit('one', '{}')",
    "a requeue": "UPDATE outbox SET parked_at = NULL",
    "a truncated table": "TRUNCATE outbox RESTART IDENTITY",
    "a sequence that was set back": "ALTER SEQUENCE outbox_id_seq RESTART",
    "a redirected row": "SELECT outbox_redirect(array(SELECT id FROM outbox), 'other', 'typo')",
}


@pytest.mark.parametrize("news", NEWS)
def test_news_are_noticed_by_one_look_at_the_sequence(
    outbox: Outbox, make_store: MakeStore, news: str
) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, parked_at) VALUES ('parked', '{}', now())"
    )
    store = make_store()
    store.refresh_watermarks(NOTHING_HELD)
    assert store.nothing_new()
    outbox.connection.execute(NEWS[news].encode())
    assert not store.nothing_new()


def test_what_is_not_committed_yet_is_no_proof(
    outbox: Outbox, database_connection: Outbox, drained: Store
) -> None:
    writer = database_connection.connection
    writer.execute("BEGIN")
    database_connection.emit("late")
    drained.refresh_watermarks(NOTHING_HELD)
    assert not drained.empty
    assert not drained.nothing_new()
    # A later id is seen first: that the sequence stands where it stood says nothing now.
    outbox.emit("early")
    assert [row.name for row in deliver(drained)] == ["early"]
    assert not drained.nothing_new()
    writer.execute("COMMIT")
    assert [row.name for row in deliver(drained)] == ["late"]


def test_a_lease_that_took_all_that_was_drawn_renews_the_proof(
    outbox: Outbox, drained: Store
) -> None:
    outbox.emit("one", key="a")
    outbox.emit("two", key="b")
    assert not drained.nothing_new()
    assert len(deliver(drained)) == 2
    assert drained.nothing_new()
    assert set(drained.watermarks.ids) == {drained.watermarks.drawn + 2}


def test_a_lease_that_missed_an_id_ends_the_proof(
    outbox: Outbox, database_connection: Outbox, drained: Store
) -> None:
    with database_connection.connection.transaction(force_rollback=True):
        database_connection.emit("takes an id, and gives it up")
    outbox.emit("one")
    assert drained.knows_all
    assert len(deliver(drained)) == 1
    assert not drained.knows_all


def test_a_lease_that_left_something_does_not(outbox: Outbox, drained: Store) -> None:
    outbox.emit("one")
    with drained.lease(NOTHING_HELD) as lease:
        assert lease is not None
        assert sum(map(len, lease.chunks())) == 1
    assert not drained.nothing_new()


def test_rows_that_are_held_or_paused_are_no_emptiness(
    outbox: Outbox, make_store: MakeStore
) -> None:
    store = make_store()
    store.refresh_watermarks(Exclusions(topics=("held",)))
    assert not store.nothing_new()
    outbox.emit("paused")
    outbox.connection.execute("UPDATE outbox_shard SET paused_at = now()")
    store.refresh_watermarks(NOTHING_HELD)
    assert deliver(store) == []
    assert not store.nothing_new()


def test_a_proof_does_not_last_for_ever(drained: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # COPY may write rows above every id that was drawn.
    monkeypatch.setattr("relay.daemon.timing.boot_seconds", lambda: float("inf"))
    assert not drained.nothing_new()


def test_a_row_with_an_id_that_nobody_drew_is_found(outbox: Outbox, drained: Store) -> None:
    with outbox.connection.cursor().copy("COPY outbox (id, name, payload) FROM STDIN") as copy:
        copy.write_row((1_000_000, "Copied", "{}"))
    drained.refresh_watermarks(NOTHING_HELD)
    assert (drained.empty, drained.nothing_new()) == (False, False)
    assert [row.name for row in deliver(drained)] == ["Copied"]
    assert outbox.count() == 0


# -- an old schema ----------------------------------------------------------------------------


@pytest.mark.usefixtures("without_functions")
def test_without_the_functions_statements_do_the_same(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.emit("one")
    store = make_store()
    assert len(deliver(store, small=False)) == 1
    store.refresh_watermarks(NOTHING_HELD)
    assert store.empty
    assert not store.nothing_new()
