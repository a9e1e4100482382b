"""A session says what it needs, and sees when the server has ended it."""

import pytest

from relay.daemon.postgres.session import Session
from tests.daemon.conftest import MakeStore
from tests.support.eventually import eventually
from tests.support.outbox import Outbox
from tests.support.postgres import Database


@pytest.fixture
def session(make_store: MakeStore) -> Session:
    return make_store()._session  # noqa: SLF001


def test_a_session_that_the_server_ended_while_idle_is_not_connected(
    outbox: Outbox, session: Session
) -> None:
    assert session.connected
    pid = session.connection.info.backend_pid
    outbox.connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    eventually(lambda: not session.connected)
    session.connect()
    assert session.connected


def test_a_session_is_connected_while_it_is_at_work(session: Session) -> None:
    with session.transaction() as connection:
        connection.execute("SELECT generate_series(1, 100)")
        assert session.connected


def test_every_transaction_says_its_isolation(
    outbox: Outbox, database: Database, make_store: MakeStore
) -> None:
    default = "default_transaction_isolation = 'serializable'"
    outbox.connection.execute(f"ALTER DATABASE {database.name} SET {default}".encode())
    session = make_store()._session  # noqa: SLF001
    with session.transaction() as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
    asked = "SELECT current_setting('transaction_isolation')"
    assert session.ask(asked) == session.begin_with(asked) == [("read committed",)]
    session.rollback()
    assert session.connection.execute("SHOW client_encoding").fetchone() == ("UTF8",)
