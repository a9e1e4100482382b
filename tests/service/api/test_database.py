"""The API's transactions: no statement of a request outlives its time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from relay.service.api import database as module
from relay.service.api.database import Connection, Database
from relay.settings import ApiSettings
from tests.support import postgres
from tests.support.eventually import eventually

Open = Callable[[Database], AbstractContextManager[Connection]]


@pytest.fixture
def api(database: postgres.Database) -> Iterator[Database]:
    opened = Database(database.dsn, ApiSettings(statement_timeout_seconds=0.2))
    opened.open()
    yield opened
    opened.close()


@pytest.mark.parametrize("begin", [Database.reading, Database.writing])
def test_a_statement_that_takes_too_long_is_ended(api: Database, begin: Open) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled), begin(api) as connection:
        connection.execute("SELECT pg_sleep(30)")


@pytest.mark.parametrize("begin", [Database.reading, Database.writing])
def test_so_is_a_transaction_in_which_nothing_happens(api: Database, begin: Open) -> None:
    with begin(api) as connection:
        shown = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
    assert shown == ("200ms",)


def test_a_list_is_of_one_moment_and_changes_nothing(api: Database) -> None:
    with api.reading() as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("repeatable read",)
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)


def test_after_a_long_outage_whoever_asks_is_answered_soon(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "POOL_SECONDS", 0.1)
    opened = Database("postgresql://127.0.0.1:1/none", ApiSettings())
    opened.open()
    try:
        for _ in range(2):
            # Attempts that go on would double their pauses: they are given up, and begin anew.
            caplog.clear()
            with pytest.raises(PoolTimeout), opened.reading():
                pass
            eventually(lambda: "reconnection attempt in pool 'api' failed" in caplog.text)
    finally:
        opened.close()
