import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

import psycopg
import pytest

from relay.database import schema
from relay.database.locking import LOCK_TIMEOUT_MS
from relay.database.migration import migrate, script
from relay.demo.postgres import EmbeddedPostgres
from relay.errors import DatabaseUnavailableError, RelayError, SchemaError
from tests.support.eventually import eventually
from tests.support.load import stretched
from tests.support.postgres import Database
from tests.support.repository import ROOT

INSERT = "INSERT INTO outbox (name, payload) VALUES ('Event', '{}')"
MIGRATE = "import sys; from relay.database.migration import migrate; migrate(sys.argv[1])"


def state(database: Database) -> schema.SchemaState | None:
    with database.connect() as connection:
        return schema.read(connection)


def pretend(database: Database, *, version: int, oldest_relay: int = 1) -> None:
    """Let the database say that another release has migrated it."""
    with database.connect() as connection:
        connection.execute(
            "UPDATE outbox_state SET version = %s, oldest_relay = %s", [version, oldest_relay]
        )


def test_an_empty_database_gets_the_tables(empty_database: Database) -> None:
    assert migrate(empty_database.dsn).changed
    found = state(empty_database)
    assert found is not None
    assert found.version == schema.SCHEMA_VERSION
    with empty_database.connect() as connection:
        schema.verify(connection)


def test_the_package_ships_the_script_of_the_checkout() -> None:
    assert script() == (ROOT / "schema.sql").read_text()
    assert resources.files("relay").joinpath("schema.sql").is_file()


def test_a_second_time_changes_nothing_and_takes_no_lock(database: Database) -> None:
    with database.connect() as blocker:
        blocker.execute("LOCK TABLE outbox, outbox_shard, outbox_event IN ACCESS EXCLUSIVE MODE")
        assert not migrate(database.dsn).changed


def test_everything_may_be_applied_again_with_rows_in_place(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.connect() as connection:
        connection.execute(INSERT)
    with caplog.at_level(logging.INFO):
        assert migrate(database.dsn, again=True).changed
    assert "already exists" not in caplog.text
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_a_newer_database_is_left_alone(database: Database) -> None:
    pretend(database, version=7)
    with pytest.raises(SchemaError, match=r"version 7.*newer release"):
        migrate(database.dsn, again=True)


def test_a_failing_script_leaves_nothing_behind(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.database.migration.script", lambda: script() + "\nSELECT 1/0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_database.dsn)
    assert state(empty_database) is None


def test_writers_never_wait_behind_a_migration_that_waits(database: Database) -> None:
    pretend(database, version=0)
    waits: list[float] = []
    with ThreadPoolExecutor(1) as background, database.connect() as writer:
        writer.execute(INSERT)
        migration = background.submit(migrate, database.dsn)
        with database.connect(autocommit=True) as other:
            for _ in range(5):
                # Only an insert that begins while the migration is in the queue proves anything.
                eventually(database.waiting)
                begun = time.monotonic()
                other.execute(INSERT)
                waits.append(time.monotonic() - begun)
        assert not migration.done()
        writer.commit()
        assert migration.result(timeout=30).changed
    # The rest for a busy machine: a queued lock would have kept them for ever.
    assert max(waits) < LOCK_TIMEOUT_MS / 1000 + stretched(5)
    found = state(database)
    assert found is not None
    assert found.version == schema.SCHEMA_VERSION


def test_a_migration_that_gets_no_lock_says_who_holds_it(database: Database) -> None:
    pretend(database, version=0)
    dsn = f"{database.dsn}?application_name=report-job"
    with psycopg.connect(dsn) as writer:
        writer.execute(INSERT)
        with pytest.raises(RelayError, match=rf"{writer.info.backend_pid} \(report-job\)"):
            migrate(database.dsn, wait_seconds=0.3)
    found = state(database)
    assert found is not None
    assert found.version == 0


def test_two_processes_may_migrate_at_once(empty_database: Database) -> None:
    command = [sys.executable, "-c", MIGRATE, empty_database.dsn]
    migrations = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for migration in migrations:
        _, said = migration.communicate(timeout=60)
        assert migration.returncode == 0, said.decode()
    assert state(empty_database) is not None


def test_an_unreachable_server_is_explained_without_the_password() -> None:
    with pytest.raises(DatabaseUnavailableError) as failure:
        migrate("postgresql://relay:sesame@127.0.0.1:1/outbox")
    assert "Connection refused" in str(failure.value)
    assert "sesame" not in str(failure.value)


def test_a_missing_schema_is_refused(empty_database: Database) -> None:
    with (
        empty_database.connect() as connection,
        pytest.raises(SchemaError, match="relay migrate"),
    ):
        schema.verify(connection)


def test_an_older_schema_is_refused(database: Database) -> None:
    pretend(database, version=0)
    with (
        database.connect() as connection,
        pytest.raises(SchemaError, match=r"version 0.*relay migrate"),
    ):
        schema.verify(connection)


def test_a_newer_schema_is_fine_while_it_tolerates_this_relay(database: Database) -> None:
    pretend(database, version=9, oldest_relay=schema.SCHEMA_VERSION)
    with database.connect() as connection:
        schema.verify(connection)


def test_a_schema_that_needs_a_newer_relay_is_refused(database: Database) -> None:
    pretend(database, version=9, oldest_relay=9)
    with (
        database.connect() as connection,
        pytest.raises(SchemaError, match="upgrade this relay"),
    ):
        schema.verify(connection)


def test_a_refusal_leaves_the_connection_usable(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        with pytest.raises(SchemaError):
            schema.verify(connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.fixture
def bare_server() -> Iterator[EmbeddedPostgres]:
    """A server of its own: roles are the same in all databases of a server."""
    with (
        EmbeddedPostgres({"fsync": "off"}) as server,
        psycopg.connect(server.dsn(), autocommit=True) as admin,
    ):
        admin.execute("CREATE ROLE owner LOGIN")
        admin.execute("CREATE DATABASE service OWNER owner")
        admin.execute("CREATE ROLE stranger LOGIN")
        yield server


def test_whoever_may_not_create_tables_is_told_so(bare_server: EmbeddedPostgres) -> None:
    with pytest.raises(SchemaError, match=r"permission denied.*CREATE"):
        migrate(bare_server.dsn("service", user="stranger"))


def test_without_createrole_the_tables_come_and_the_roles_are_reported(
    bare_server: EmbeddedPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    owner = bare_server.dsn("service", user="owner")
    assert migrate(owner).changed
    assert "role outbox_writer was not created" in caplog.text
    with psycopg.connect(bare_server.dsn("service"), autocommit=True) as admin:
        for role in ("outbox_writer", "outbox_relay", "outbox_reader", "outbox_operator"):
            admin.execute(f"CREATE ROLE {role} NOLOGIN")
        assert migrate(owner, again=True).changed
        granted = admin.execute(
            "SELECT has_any_column_privilege('outbox_writer', 'outbox', 'INSERT')"
        )
        assert granted.fetchone() == (True,)
    with psycopg.connect(bare_server.dsn("service", user="stranger")) as connection:
        with pytest.raises(SchemaError, match="may not read the outbox tables"):
            schema.verify(connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)
