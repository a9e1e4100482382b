"""Resume positions: reads start above dead rows beside an open writer, and miss nothing of it."""

from collections.abc import Iterator

import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.low_watermark import LOWEST_ID
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered
from relay.settings import SHARDS
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox
from tests.support.postgres import Database

NOTHING_HELD = Exclusions()
KEY = "k"


@pytest.fixture
def writer(database_connection: Outbox) -> Iterator[Outbox]:
    """A transaction that has written a row and stays open."""
    database_connection.connection.execute("BEGIN")
    database_connection.emit("first", key=KEY)
    yield database_connection
    database_connection.connection.rollback()


@pytest.fixture(params=["function", "statement", "cursors"])
def store(
    request: pytest.FixtureRequest, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """Each of the ways in which a lease reads its rows."""
    if request.param == "statement":
        request.getfixturevalue("without_functions")
    store = make_store()
    if request.param == "cursors":
        # As after a lease that was full.
        monkeypatch.setattr(store, "_note_unread", lambda _: None)
        monkeypatch.setattr(store, "_unread", set(range(SHARDS)))
    return store


def deliver(store: Store) -> list[str]:
    """Relay one lease; return the names of its rows."""
    with store.lease(NOTHING_HELD) as lease:
        if lease is None:
            return []
        rows = [row for chunk in lease.chunks() for row in chunk]
        lease.settle([Delivered(rows)])
    return [row.name for row in rows]


def neighbours(outbox: Outbox, rows: int) -> None:
    """Write rows of other keys into the shard of the open writer's key."""
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) SELECT neighbour, 'neighbour', '{}' "
        "FROM (SELECT 'key-' || g AS neighbour FROM generate_series(1, 10000) AS g) AS keys "
        "WHERE outbox_shard_of(neighbour) = outbox_shard_of(%s) LIMIT %s",
        (KEY, rows),
    )


def resumed(outbox: Outbox, store: Store, rows: int = 3) -> int:
    """Let rows of others come and go; return the resume position of the writer's shard."""
    store.refresh_watermarks(NOTHING_HELD)
    neighbours(outbox, rows)
    deliver(store)
    store.refresh_watermarks(NOTHING_HELD)
    return position(outbox, store)


def shard_of(outbox: Outbox) -> int:
    found = outbox.connection.execute("SELECT outbox_shard_of(%s)", (KEY,)).fetchone()
    assert found is not None
    return int(found[0])


def position(outbox: Outbox, store: Store) -> int:
    return store.watermarks.resume[shard_of(outbox)]


def test_reads_start_above_the_rows_that_have_gone(
    outbox: Outbox, writer: Outbox, store: Store
) -> None:
    del writer
    assert resumed(outbox, store, rows=5) == 6
    assert max(store.watermarks.ids) == LOWEST_ID
    neighbours(outbox, 2)
    assert deliver(store) == ["neighbour"] * 2
    # Without another look at the writers: up to what was drawn at the last one.
    assert position(outbox, store) == 6
    store.refresh_watermarks(NOTHING_HELD)
    assert position(outbox, store) == 8


def test_a_lease_moves_the_position_as_far_as_the_look_reached(
    outbox: Outbox, writer: Outbox, store: Store
) -> None:
    del writer
    store.refresh_watermarks(NOTHING_HELD)
    neighbours(outbox, 1)
    deliver(store)
    neighbours(outbox, 3)
    store.refresh_watermarks(NOTHING_HELD)
    assert position(outbox, store) == 2
    neighbours(outbox, 1)
    assert len(deliver(store)) == 4
    assert position(outbox, store) == 5


@pytest.mark.parametrize("beside", [0, 1])
def test_whoever_sees_the_writers_rows_reads_them_first(
    outbox: Outbox, writer: Outbox, store: Store, beside: int
) -> None:
    resumed(outbox, store)
    neighbours(outbox, beside)
    writer.emit("last", key=KEY)
    writer.connection.execute("COMMIT")
    assert deliver(store) == ["first", *["neighbour"] * beside, "last"]
    assert outbox.count() == 0


def test_the_claim_finds_the_writers_row_where_nothing_else_waits(
    outbox: Outbox, writer: Outbox, store: Store
) -> None:
    resumed(outbox, store)
    writer.connection.execute("COMMIT")
    assert deliver(store) == ["first"]


def test_a_writer_that_commits_between_claim_and_read_is_read_in_order(
    outbox: Outbox, writer: Outbox, make_store: MakeStore
) -> None:
    store = make_store()
    resumed(outbox, store)
    neighbours(outbox, 1)
    # Each read has a snapshot of its own, and so has the claim before it.
    with store.lease(NOTHING_HELD, only=shard_of(outbox)) as lease:
        writer.emit("last", key=KEY)
        writer.connection.execute("COMMIT")
        assert lease is not None
        rows = [row.name for chunk in lease.chunks() for row in chunk]
    assert rows == ["first", "neighbour", "last"]


def test_the_end_of_one_of_two_writers_is_noticed(
    outbox: Outbox, writer: Outbox, database: Database, store: Store
) -> None:
    with database.connect() as connection:
        Outbox(connection).emit("of the other", key=KEY)
        assert resumed(outbox, store) == 5
        assert len(store.watermarks.beside) == 2
        writer.connection.execute("COMMIT")
        assert deliver(store) == ["first"]
    store.refresh_watermarks(NOTHING_HELD)
    assert deliver(store) == ["of the other"]


def test_the_end_of_a_writer_is_known_before_the_next_refresh(
    outbox: Outbox, writer: Outbox, make_store: MakeStore
) -> None:
    store = make_store()
    assert not store.resume_lost()
    resumed(outbox, store)
    assert not store.resume_lost()
    writer.connection.execute("ROLLBACK")
    assert store.resume_lost()
    store.refresh_watermarks(NOTHING_HELD)
    assert not store.resume_lost()


def test_a_writer_that_came_later_keeps_what_was_drawn_since_undecided(
    outbox: Outbox, writer: Outbox, database: Database, store: Store
) -> None:
    del writer
    assert resumed(outbox, store) == 4
    with database.connect() as connection:
        Outbox(connection).emit("late", key=KEY)
        neighbours(outbox, 2)
        assert deliver(store) == ["neighbour"] * 2
        store.refresh_watermarks(NOTHING_HELD)
        assert position(outbox, store) == 4
        connection.commit()
    assert deliver(store) == ["late"]


def test_a_writer_without_a_transaction_id_has_no_position_beside_it(
    outbox: Outbox, database_connection: Outbox, store: Store
) -> None:
    # As an insert does: the lock, then the id of the row, then that of the transaction. Another
    # session draws the id here: after a checkpoint, this alone takes a transaction id.
    writer = database_connection.connection
    writer.execute("BEGIN")
    writer.execute("LOCK TABLE outbox IN ROW EXCLUSIVE MODE")
    drawn = outbox.connection.execute("SELECT nextval('outbox_id_seq')").fetchone()
    resumed(outbox, store)
    assert not store.watermarks.beside
    writer.execute(
        "INSERT INTO outbox (id, key, name, payload) OVERRIDING SYSTEM VALUE "
        "VALUES (%s, %s, 'late', '{}')",
        (*(drawn or ()), KEY),
    )
    writer.execute("COMMIT")
    assert deliver(store) == ["late"]


def test_savepoints_change_nothing(outbox: Outbox, writer: Outbox, store: Store) -> None:
    writer.connection.execute("SAVEPOINT undone")
    writer.emit("phantom", key=KEY)
    writer.connection.execute("ROLLBACK TO undone")
    writer.connection.execute("SAVEPOINT kept")
    writer.emit("second", key=KEY)
    assert resumed(outbox, store) == 6
    assert len(store.watermarks.beside) == 1
    writer.connection.execute("RELEASE kept")
    assert deliver(store) == []
    writer.connection.execute("COMMIT")
    assert deliver(store) == ["first", "second"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE outbox SET parked_at = NULL",
        "TRUNCATE outbox RESTART IDENTITY; SELECT outbox_emit('below', '{}', 'k')",
    ],
)
def test_what_comes_back_below_a_position_is_found(
    outbox: Outbox, database_connection: Outbox, store: Store, change: str
) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload, parked_at) VALUES ('k', 'below', '{}', now())"
    )
    writer = database_connection.connection
    # As an insert does, without a row that TRUNCATE would have to wait for.
    writer.execute("BEGIN; SELECT pg_current_xact_id(); LOCK TABLE outbox IN ROW EXCLUSIVE MODE")
    assert resumed(outbox, store) == 4
    assert store.watermarks.beside
    writer.rollback()
    outbox.connection.execute(change.encode())
    assert deliver(store) == ["below"]


def test_rows_with_old_ids_are_missed_up_to_the_position(
    outbox: Outbox, writer: Outbox, make_store: MakeStore
) -> None:
    store = make_store()
    outbox.connection.execute("SELECT setval('outbox_id_seq', 100)")
    resumed(outbox, store)
    view = store.refresh_watermarks(NOTHING_HELD)
    with outbox.connection.cursor().copy("COPY outbox (id, key, name, payload) FROM STDIN") as copy:
        copy.write_row((50, KEY, "Copied", "{}"))
    assert list(store._survey.missed_rows(view)) == [50]  # noqa: SLF001
    writer.connection.execute("COMMIT")
    # From now on, everybody reads from the watermark.
    assert list(store._survey.missed_rows(view)) == []  # noqa: SLF001


def test_figures_count_the_writers_row_as_soon_as_it_is_there(
    outbox: Outbox, writer: Outbox, make_store: MakeStore
) -> None:
    store = make_store()
    resumed(outbox, store)
    neighbours(outbox, 2)
    assert store._survey.measure(NOTHING_HELD).pending == 2  # noqa: SLF001
    writer.connection.execute("COMMIT")
    assert store._survey.measure(NOTHING_HELD).pending == 3  # noqa: SLF001


def test_without_a_writer_there_is_nothing_to_resume_beside(
    outbox: Outbox, writer: Outbox, store: Store
) -> None:
    resumed(outbox, store)
    writer.connection.execute("ROLLBACK")
    store.refresh_watermarks(NOTHING_HELD)
    assert not store.watermarks.beside
    assert set(store.watermarks.ids) == {4}
