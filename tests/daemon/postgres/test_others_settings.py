"""Settings and policies of others: the relay works as ever, or says what hides its rows."""

import pytest
from psycopg import errors

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.store import Store
from tests.daemon.conftest import MakeStore
from tests.daemon.test_database_defaults import SINCE_TRANSACTION_TIMEOUT
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
