"""Rows below the watermarks: found wherever no worker looks, and nothing else is."""

import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.blind_spot import View
from relay.daemon.postgres.store import Store
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox

NOTHING_HELD = Exclusions()


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return make_store()


def missed(store: Store, view: View) -> list[int]:
    return sorted(store._survey.missed_rows(view))  # noqa: SLF001


def risen(store: Store, exclusions: Exclusions = NOTHING_HELD) -> View:
    """The view of a worker that has looked twice."""
    store.refresh_watermarks(exclusions)
    return store.refresh_watermarks(exclusions)


def copy_in(outbox: Outbox, id_: int) -> None:
    with outbox.connection.cursor().copy("COPY outbox (id, name, payload) FROM STDIN") as copy:
        copy.write_row((id_, "Copied", "{}"))


def draw_to(outbox: Outbox, id_: int) -> None:
    outbox.connection.execute("SELECT setval('outbox_id_seq', %s)", (id_,))


def test_a_row_with_an_old_id_is_missed(outbox: Outbox, store: Store) -> None:
    draw_to(outbox, 100)
    view = risen(store)
    copy_in(outbox, 7)
    copy_in(outbox, 101)
    assert missed(store, view) == [7]


def test_rows_that_wait_above_the_watermarks_are_not_missed(outbox: Outbox, store: Store) -> None:
    outbox.fill(50, keys=10)
    view = risen(store)
    outbox.connection.execute("UPDATE outbox_shard SET paused_at = now()")
    assert missed(store, view) == []


def test_rows_on_hold_are_not_missed(outbox: Outbox, store: Store) -> None:
    outbox.fill(20, keys=10, topic="held")
    view = risen(store, Exclusions(topics=("held",)))
    assert max(view.watermarks) == 20
    assert missed(store, view) == []


@pytest.mark.parametrize(
    "change",
    [
        "TRUNCATE outbox RESTART IDENTITY",
        "ALTER SEQUENCE outbox_id_seq RESTART",
        "UPDATE outbox_state SET requeues = requeues + 1",
    ],
)
def test_a_view_of_another_epoch_says_nothing(outbox: Outbox, store: Store, change: str) -> None:
    draw_to(outbox, 100)
    view = risen(store)
    outbox.connection.execute(change.encode())
    copy_in(outbox, 7)
    assert missed(store, view) == []
    # And the claim finds the row, before anybody has looked again.
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        assert [row.id for rows in lease.chunks() for row in rows] == [7]


def test_a_sequence_with_a_cache_lets_no_watermark_rise(outbox: Outbox, store: Store) -> None:
    outbox.connection.execute("ALTER SEQUENCE outbox_id_seq CACHE 50")
    draw_to(outbox, 100)
    assert max(risen(store).watermarks) < 0


def test_a_table_that_draws_its_ids_elsewhere_lets_no_watermark_rise(
    outbox: Outbox, store: Store
) -> None:
    draw_to(outbox, 100)
    outbox.connection.execute("ALTER TABLE outbox RENAME TO former")
    outbox.connection.execute("CREATE TABLE outbox (LIKE former INCLUDING ALL)")
    assert max(risen(store).watermarks) < 0
    outbox.fill(3, keys=3)
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        assert sorted(row.id for rows in lease.chunks() for row in rows) == [1, 2, 3]
