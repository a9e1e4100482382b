"""Survey: no row is left behind whenever its writer commits, whatever server answers."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.postgres.low_watermark import NO_WATERMARKS
from relay.daemon.postgres.store import Store
from relay.database.connection import BoundedConnection
from relay.demo.postgres import EmbeddedPostgres
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox
from tests.support.postgres import TEST_SETTINGS, Database, apply_schema

NOTHING_HELD = Exclusions()


@pytest.fixture
def between_the_two_looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something once, when the database has answered the first of DRAWN and LOCKS."""

    def arrange(happens: Callable[[], None]) -> None:
        execute = BoundedConnection.execute
        still_to_happen = [happens]

        def executed(
            self: BoundedConnection,
            query: str,
            *rest: Any,  # noqa: ANN401
            **named: Any,  # noqa: ANN401
        ) -> psycopg.Cursor[Any]:
            cursor = execute(self, query, *rest, **named)
            if query in (queries.DRAWN, queries.LOCKS) and still_to_happen:
                execute(self, "SELECT 1").fetchone()
                still_to_happen.pop()()
            return cursor

        monkeypatch.setattr(BoundedConnection, "execute", executed)

    return arrange


def ids_of_a_lease(store: Store) -> list[int]:
    with store.lease(NOTHING_HELD) as lease:
        return [] if lease is None else sorted(row.id for rows in lease.chunks() for row in rows)


def test_a_row_written_between_the_two_looks_and_committed_later_is_found(
    outbox: Outbox,
    database_connection: Outbox,
    make_store: MakeStore,
    between_the_two_looks: Callable[[Callable[[], None]], None],
) -> None:
    store = make_store()
    writer = database_connection.connection

    def write() -> None:
        writer.execute("BEGIN")
        database_connection.emit("late")

    between_the_two_looks(write)
    for _ in range(3):
        store.refresh_watermarks(NOTHING_HELD)
    writer.execute("COMMIT")
    assert outbox.count() == 1
    assert ids_of_a_lease(store) == [1]


@pytest.fixture
def in_two_phases() -> Iterator[Database]:
    """A server on which transactions may be prepared."""
    settings = {**TEST_SETTINGS, "max_prepared_transactions": "4"}
    with EmbeddedPostgres(settings) as server:
        apply_schema(Database(server.dsn()))
        yield Database(server.dsn())


def test_a_writer_that_is_prepared_between_two_looks_is_waited_for(
    in_two_phases: Database, make_store: MakeStore
) -> None:
    store = make_store(in_two_phases.dsn)
    with in_two_phases.connect(autocommit=True) as writer:
        writer.execute("BEGIN")
        writer.execute("LOCK TABLE outbox IN ROW EXCLUSIVE MODE")
        # As an insert does: the id is drawn before there has to be a transaction id.
        drawn = writer.execute("SELECT nextval('outbox_id_seq')").fetchone()
        store.refresh_watermarks(NOTHING_HELD)
        writer.execute(
            "INSERT INTO outbox (id, name, payload) OVERRIDING SYSTEM VALUE "
            "VALUES (%s, 'Two phases', '{}')",
            drawn,
        )
        writer.execute("PREPARE TRANSACTION 'relay'")
        for _ in range(3):
            store.refresh_watermarks(NOTHING_HELD)
        writer.execute("COMMIT PREPARED 'relay'")
        assert ids_of_a_lease(store) == list(drawn or ())


def test_a_sequence_that_is_behind_what_was_drawn_is_looked_at_from_the_beginning(
    outbox: Outbox, make_store: MakeStore
) -> None:
    outbox.connection.execute("SELECT setval('outbox_id_seq', 1000)")
    store = make_store()
    store.refresh_watermarks(NOTHING_HELD)
    assert set(store.watermarks.ids) == {1000}
    outbox.connection.execute("SELECT setval('outbox_id_seq', 5)")
    outbox.emit("of the other server")
    # The claim alone notices: watermarks are refreshed more rarely.
    assert ids_of_a_lease(store) == [6]


def test_a_new_connection_begins_without_watermarks(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.connection.execute("SELECT setval('outbox_id_seq', 1000)")
    store = make_store()
    store.refresh_watermarks(NOTHING_HELD)
    store.connect()
    assert store.watermarks.ids == list(NO_WATERMARKS)


def test_figures_count_what_waits_and_what_is_parked(outbox: Outbox, make_store: MakeStore) -> None:
    outbox.fill(7, keys=3)
    outbox.connection.execute("UPDATE outbox SET parked_at = now() WHERE id <= 2")
    survey = make_store()._survey  # noqa: SLF001
    counted = survey.measure(NOTHING_HELD)
    assert (counted.pending, counted.parked) == (5, 2)
