"""Whatever user and database are set to by default, the relay says what it needs."""

from collections.abc import Iterator

import psycopg
import pytest

from relay.database.migration import migrate
from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Consume, Outbox, Start
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest

SINCE_TRANSACTION_TIMEOUT = 170000
SAMPLED = "sampled_timestamp_seconds"


@pytest.fixture
def default(outbox: Outbox, database: Database) -> None:
    """Defaults under which an unsuspecting client fails."""
    server = outbox.connection.info.server_version
    for setting in (
        "default_transaction_isolation = 'serializable'",
        "idle_session_timeout = '300ms'",
        "client_encoding = 'LATIN1'",
        "default_transaction_read_only = on",
        "standard_conforming_strings = off",
        *(["transaction_timeout = '300ms'"] if server >= SINCE_TRANSACTION_TIMEOUT else []),
    ):
        outbox.connection.execute(f"ALTER DATABASE {database.name} SET {setting}".encode())


def await_samples(process: ProcessUnderTest, times: int) -> None:
    for _ in range(times):
        last = metric(process, SAMPLED)
        eventually(lambda last=last: metric(process, SAMPLED) > last)  # type: ignore[misc]


@pytest.mark.usefixtures("default")
def test_defaults_of_the_database(outbox: Outbox, relay: Start, read: Consume) -> None:
    # Between two samples, and two looks, connections are idle for longer than they may be.
    process = relay(RELAY_SAMPLE_SECONDS="0.5", RELAY_POLL_MAX_SECONDS="0.5")
    for number in range(3):
        outbox.emit(f"Grüße {number}", key="ключ")
        outbox.await_empty("true")
        await_samples(process, 2)
    assert [message.key for message in read(count=3)] == ["ключ".encode()] * 3
    assert metric(process, "sample_failures_total") == 0
    assert not [entry for entry in process.logs if entry["level"].lower() == "warning"]


@pytest.fixture
def without_encoding(postgres: Database) -> Iterator[Database]:
    """A database that was made under LANG=C: it knows bytes, and no characters."""
    found = postgres.sibling("relay_test_sql_ascii")
    with postgres.connect(autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {found.name} WITH ENCODING 'SQL_ASCII' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
        try:
            migrate(found.dsn)
            yield found
        finally:
            admin.execute(f"DROP DATABASE {found.name} WITH (FORCE)".encode())


def test_a_database_in_sql_ascii(without_encoding: Database, relay: Start, read: Consume) -> None:
    dsn = without_encoding.dsn
    with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as connection:
        outbox = Outbox(connection)
        outbox.emit("Grüße", '{"a": "ключ"}', key="ключ")
        process = relay(DATABASE_URL=dsn)
        outbox.await_empty("true")
    (message,) = read(count=1)
    assert (message.key, "ключ".encode() in (message.value or b"")) == ("ключ".encode(), True)
    assert process.is_running
