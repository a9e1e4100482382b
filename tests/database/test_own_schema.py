"""The tables in a schema of their own, which no search_path names."""

import json
from collections.abc import Iterator, Mapping

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.database.migration import migrate
from relay.database.schema import verify
from relay.database.session import connected
from relay.errors import SchemaError
from relay.operations.triggers import TrackedTable
from tests.support.eventually import eventually
from tests.support.outbox import Consume, Start
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import Database
from tests.support.process import finished
from tests.support.roles import member
from tests.support.service import url

SCHEMA = "relay_own"


@pytest.fixture
def own(empty_database: Database) -> Database:
    migrate(empty_database.dsn, into=SCHEMA)
    return empty_database


@pytest.fixture
def pooled(own: Database) -> Iterator[Database]:
    with pgbouncer(own) as pooled:
        yield pooled


def rows(database: Database, schema: str = SCHEMA) -> list[tuple[str, str]]:
    with database.connect() as connection:
        found = connection.execute(f"SELECT name, key FROM {schema}.outbox ORDER BY id".encode())
        return found.fetchall()


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """Return what a command that succeeds prints."""
    ran = finished(*arguments, environment=environment)
    assert ran.code == 0, ran.stderr
    return ran.stdout


def test_everything_is_in_the_schema_and_nothing_elsewhere(own: Database) -> None:
    with own.connect() as connection:
        elsewhere = connection.execute(
            "SELECT oid::regclass FROM pg_class WHERE relname ~ '^outbox'"
            " AND relnamespace <> %s::regnamespace",
            [SCHEMA],
        ).fetchall()
        assert elsewhere == []
        paths = connection.execute(
            "SELECT DISTINCT proconfig FROM pg_proc WHERE pronamespace = %s::regnamespace"
            " AND proname = 'outbox_emit'",
            [SCHEMA],
        ).fetchall()
    assert paths == [([f"search_path={SCHEMA}, pg_temp"],)]
    assert not migrate(own.dsn).changed


def test_it_is_found_without_a_search_path(own: Database, pooled: Database) -> None:
    for database in (own, pooled):
        with connected(database.dsn, "test") as connection:
            verify(connection)
            assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
            with connection.transaction():
                assert connection.execute("SELECT count(*) FROM outbox_shard").fetchone() == (64,)
    with pooled.connect() as connection:
        # Nothing stayed behind in a connection that others get.
        assert connection.execute("SELECT current_schema()").fetchone() == ("public",)


def test_of_several_one_must_be_named(own: Database) -> None:
    migrate(own.dsn, into="another")
    with (
        connected(own.dsn, "test") as connection,
        pytest.raises(SchemaError, match=r"another, relay_own.*OUTBOX_SCHEMA"),
    ):
        verify(connection)
    with connected(own.dsn, "test", schema="another") as connection:
        verify(connection)
        connection.execute("SELECT outbox_emit('Event', '{}', 'k')")
    assert (rows(own), rows(own, "another")) == ([], [("Event", "k")])


def test_a_schema_with_a_name_that_needs_quotes_is_refused(empty_database: Database) -> None:
    with pytest.raises(SchemaError, match="letters, digits and underscores"):
        migrate(empty_database.dsn, into='a"b')


def test_a_service_writes_there(own: Database) -> None:
    outbox = Outbox(streaming=True, schema=SCHEMA)
    with member(own, "outbox_writer") as user:
        engine = create_engine(url(user))
        with Session(engine) as session, session.begin():
            outbox.emit(session, Message("BySession", {}, key="k"))
        engine.dispose()
        with psycopg.connect(user.dsn) as connection:
            outbox.emit(connection, Message("ByConnection", {}, key="k"))
            connection.execute(f"SELECT {SCHEMA}.outbox_emit('BySql', '{{}}', 'k')".encode())
            # The service's own search_path stays as it was.
            assert connection.execute("SHOW search_path").fetchone() == ('"$user", public',)
    assert rows(own) == [("BySession", "k"), ("ByConnection", "k"), ("BySql", "k")]


def test_triggers_of_the_service_write_there(own: Database) -> None:
    table = TrackedTable("hosts", "Host", key=("id",), columns=("name",))
    with own.connect() as connection:
        connection.execute("CREATE TABLE hosts (id int PRIMARY KEY, name text)")
        connection.commit()
        connection.execute(table.create(SCHEMA).encode())
        connection.execute("INSERT INTO hosts VALUES (1, 'a')")
    assert rows(own) == [("Host", "1")]


@pytest.mark.processes
def test_commands_find_it(own: Database) -> None:
    given: dict[str, str]
    for given in ({}, {"OUTBOX_SCHEMA": SCHEMA}):
        environment = {"DATABASE_URL": own.dsn, **given}
        status = run("status", "--json", environment=environment)
        assert json.loads(status)["schema_version"] == 2
        run("purge-events", "--older-than", "1d", environment=environment)


@pytest.mark.kafka
def test_a_relay_publishes_from_there(
    own: Database, pooled: Database, relay: Start, read: Consume
) -> None:
    with own.connect() as connection:
        connection.execute(f"SELECT {SCHEMA}.outbox_emit('Event', '{{}}', 'k')".encode())
    process = relay(DATABASE_URL=pooled.dsn)
    assert [message.key for message in read(count=1)] == [b"k"]
    eventually(lambda: rows(own) == [], what="an empty outbox")
    assert process.terminate() == 0
