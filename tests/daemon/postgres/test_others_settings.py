"""Settings and policies of others: the relay works as ever, or says what hides its rows."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.doorbell import Doorbell, DoorbellSettings
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Delivered
from relay.daemon.timing import Waiter
from relay.database.schema import SCHEMA_VERSION, verify
from tests.daemon.conftest import MakeStore
from tests.daemon.test_database_defaults import SINCE_TRANSACTION_TIMEOUT
from tests.support.eventually import eventually
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

NOTHING_HELD = Exclusions()


@pytest.fixture(params=[True, False], ids=["functions", "statements"])
def with_and_without_functions(request: pytest.FixtureRequest) -> None:
    if not request.param:
        request.getfixturevalue("without_functions")


def headers(store: Store) -> list[str | None]:
    """The headers of all rows of one lease."""
    with store.lease(NOTHING_HELD) as lease:
        assert lease is not None
        return [row.headers for rows in lease.chunks() for row in rows]


@pytest.mark.usefixtures("with_and_without_functions")
def test_policies_that_hide_rows_are_an_error(
    outbox: Outbox,
    database: Database,
    make_store: MakeStore,
) -> None:
    outbox.emit("hidden")
    outbox.connection.execute("ALTER TABLE outbox ENABLE ROW LEVEL SECURITY")
    with member(database, "outbox_relay") as user:
        store = make_store(user.dsn)
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            store.refresh_watermarks(NOTHING_HELD)
        with (
            pytest.raises(errors.InsufficientPrivilege, match="row-level security"),
            make_store(user.dsn).lease(NOTHING_HELD),
        ):
            pass


@pytest.mark.usefixtures("with_and_without_functions")
def test_without_the_right_to_delete_nothing_is_read_to_be_published(
    outbox: Outbox,
    database: Database,
    make_store: MakeStore,
) -> None:
    outbox.emit("one")
    outbox.connection.execute("REVOKE DELETE ON outbox FROM outbox_relay")
    with (
        member(database, "outbox_relay") as user,
        pytest.raises(errors.InsufficientPrivilege),
        make_store(user.dsn).lease(NOTHING_HELD),
    ):
        pytest.fail("a lease began")


REPLICATED_WITHOUT_IDENTITY = """
ALTER TABLE outbox REPLICA IDENTITY NOTHING;
CREATE PUBLICATION whole FOR TABLE outbox
"""
KEPT_BY_A_TRIGGER = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
CREATE TRIGGER kept BEFORE DELETE ON outbox EXECUTE FUNCTION no()
"""


@pytest.mark.usefixtures("with_and_without_functions")
@pytest.mark.parametrize("change", [REPLICATED_WITHOUT_IDENTITY, KEPT_BY_A_TRIGGER])
def test_where_nothing_can_be_deleted_nothing_is_read_to_be_published(
    outbox: Outbox, make_store: MakeStore, change: str
) -> None:
    outbox.emit("one")
    outbox.connection.execute(change.encode())
    with pytest.raises(psycopg.DatabaseError), make_store().lease(NOTHING_HELD):
        pytest.fail("a lease began")


def test_types_that_are_always_quoted_are_ours_all_the_same(
    outbox: Outbox,
) -> None:
    outbox.connection.execute("SET quote_all_identifiers = on")
    assert verify(outbox.connection).version == SCHEMA_VERSION


@pytest.mark.usefixtures("with_and_without_functions")
def test_a_reindex_waits_for_the_lease_and_not_within_it(
    outbox: Outbox,
    database: Database,
    make_store: MakeStore,
) -> None:
    outbox.emit("one")

    def reindex() -> None:
        with database.connect(autocommit=True) as operator:
            operator.execute("REINDEX TABLE outbox")

    def waits() -> bool:
        found = outbox.connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
        return found == (1,)

    with ThreadPoolExecutor() as pool:
        with make_store().lease(NOTHING_HELD) as lease:
            assert lease is not None
            rows = [row for chunk in lease.chunks() for row in chunk]
            reindexed = pool.submit(reindex)
            eventually(waits)
            lease.settle([Delivered(rows)])
        reindexed.result()
    assert outbox.count() == 0


@pytest.mark.usefixtures("with_and_without_functions")
def test_a_lock_of_others_is_given_up_before_the_connection_is(
    outbox: Outbox,
    database: Database,
    make_store: MakeStore,
) -> None:
    outbox.emit("one")
    store = make_store(delivery_budget_seconds=1)
    with database.connect() as other:
        other.execute("LOCK TABLE outbox IN SHARE MODE")
        with pytest.raises(errors.LockNotAvailable), store.lease(NOTHING_HELD):
            pytest.fail("a lease began")
        other.rollback()
    store.connect()
    outbox.connection.execute(f"ALTER DATABASE {database.name} SET lock_timeout = '1ms'".encode())
    assert headers(store) == [None]


Look = Callable[[Store], object]
LOOKS: Mapping[str, Look] = {
    "refresh": lambda store: store.refresh_watermarks(NOTHING_HELD),
    "probe": lambda store: store.nothing_new(),
    "lease": lambda store: store.lease(NOTHING_HELD).__enter__(),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_timeouts_that_user_or_database_have_for_others_end_no_look(
    outbox: Outbox,
    database: Database,
    make_store: MakeStore,
    look: Look,
) -> None:
    outbox.connection.execute("DELETE FROM outbox")
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        setting = f"ALTER DATABASE {database.name} SET {name} = '100ms'"
        outbox.connection.execute(setting.encode())
    store = make_store()
    while not store.knows_all:
        store.refresh_watermarks(NOTHING_HELD)

    def waits() -> bool:
        found = outbox.connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND clock_timestamp() > query_start + interval '200ms'"
        ).fetchone()
        return found == (1,)

    with ThreadPoolExecutor() as pool, database.connect() as other:
        other.execute("SET idle_in_transaction_session_timeout = 0")
        other.execute("LOCK TABLE outbox_state IN ACCESS EXCLUSIVE MODE")
        looking = pool.submit(look, store)
        eventually(lambda: waits() or looking.done())
        other.rollback()
        looking.result()


def test_the_doorbell_is_set_where_transactions_only_read_by_default(
    outbox: Outbox, database: Database, make_store: MakeStore
) -> None:
    setting = f"ALTER DATABASE {database.name} SET default_transaction_read_only = on"
    outbox.connection.execute(setting.encode())
    session = make_store()._session  # noqa: SLF001
    bell = Doorbell(session, DoorbellSettings(database.dsn, None, "test", 10.0), Waiter())
    assert bell.ring_from_now()
    assert bell.is_set()
    bell.stop_ringing()
    assert not bell.is_set()


@pytest.mark.usefixtures("with_and_without_functions")
def test_no_timeout_of_transactions_ends_a_lease(
    outbox: Outbox,
    database: Database,
    make_store: MakeStore,
) -> None:
    if outbox.connection.info.server_version < SINCE_TRANSACTION_TIMEOUT:
        pytest.skip("this server has no transaction_timeout")
    outbox.connection.execute(
        f"ALTER DATABASE {database.name} SET transaction_timeout = '100ms'".encode()
    )
    outbox.emit("one")
    with make_store().lease(NOTHING_HELD) as lease:
        assert lease is not None
        lease.execute("SELECT pg_sleep(0.3)", {})


def test_backslashes_are_read_the_same_whatever_a_session_says(
    outbox: Outbox, database: Database, make_store: MakeStore
) -> None:
    outbox.connection.execute(
        f"ALTER DATABASE {database.name} SET standard_conforming_strings = off".encode()
    )
    with database.connect(autocommit=True) as writer:
        insert = b"INSERT INTO outbox (name, payload, headers, replayed) VALUES ('E', %s, %s, true)"
        writer.execute(insert, (r'{"a": "\u00e4"}', '{ "traceparent": "x"}'))
        with pytest.raises(errors.CheckViolation, match="no character"):
            writer.execute(insert, (r'{"a": "\u0000"}', None))
        with pytest.raises(errors.CheckViolation, match="written by the relay"):
            writer.execute(insert, ("{}", '{"seq": "1"}'))
    expected = ['{"replay": "true", "traceparent": "x"}']
    assert headers(make_store()) == expected
    outbox.connection.execute("DROP FUNCTION outbox_claim")
    assert headers(make_store()) == expected


def test_the_lowest_id_of_all_is_refused(outbox: Outbox, make_store: MakeStore) -> None:
    copy_in = "COPY outbox (id, name, payload) FROM STDIN"
    for id_ in (-(2**63) + 1, 2**63 - 1):
        with outbox.connection.cursor().copy(copy_in) as copy:
            copy.write_row((id_, "Copied", "{}"))
    with (
        pytest.raises(errors.CheckViolation),
        outbox.connection.cursor().copy(copy_in) as copy,
    ):
        copy.write_row((-(2**63), "Copied", "{}"))
    assert len(headers(make_store())) == 2
