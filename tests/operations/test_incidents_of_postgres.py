"""Incidents of PostgreSQL: doctor's line, and the command that mends it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from relay.cli.diagnosis import findings
from relay.daemon.figures import Report
from relay.database.session import connected
from relay.operations import doctor
from relay.operations.doctor import database as checks
from relay.operations.doctor import diagnose
from relay.operations.findings import Finding
from relay.operations.outlook import Thresholds
from relay.settings import load
from tests.support.eventually import eventually
from tests.support.incidents import (
    assert_documented,
    codes,
    see,
    session,
    sign,
    statement,
    the,
    written,
)
from tests.support.postgres import Database, apply_schema, temporary_database
from tests.support.roles import stranger


def checked(database: Database, subject: str, limits: Thresholds | None = None) -> Finding:
    with connected(database.dsn, "test") as connection:
        (found,) = [each for each in checks.examine(connection, limits) if each.subject == subject]
    return found


def test_a_transaction_that_pins_xmin(database: Database) -> None:
    with session(database, "report") as report:
        report.execute("SELECT pg_current_xact_id()")

        def named() -> Finding:
            finding = checked(database, "xmin", Thresholds(xmin=0))
            assert_documented(finding, database)
            return finding

        # Writers of the server's other databases pin xmin too, until they end.
        finding = eventually(named)
        with database.connect(autocommit=True) as owner:
            owner.execute(statement(finding))


def test_a_name_of_a_user_stays_a_word_of_the_command(database: Database) -> None:
    with stranger(database, 'we"ird') as user, database.connect(autocommit=True) as owner:
        grant = sql.SQL("GRANT outbox_reader TO {}").format(sql.Identifier(user.user))
        owner.execute(grant)
        finding = checked(user, "rights")
        assert statement(finding).startswith(b'GRANT outbox_relay TO "we""ird')
        owner.execute(statement(finding))
        assert checked(user, "rights").outcome == "ok"


def test_dead_rows_that_vacuum_does_not_remove(database: Database) -> None:
    finding = checked(database, "vacuum", Thresholds(dead_rows=-1))
    assert_documented(finding, database)
    with database.connect(autocommit=True) as owner:
        owner.execute(statement(finding))


def test_postgresql_that_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/service")
    found = {each.subject: each for each in findings("relay doctor", diagnose, doctor.SUBJECTS)}
    assert_documented(found["database"], database)
    assert found["everything that waits is on its way"].outcome == "unknown"


def test_a_schema_that_is_too_old(database: Database) -> None:
    with database.connect() as owner:
        owner.execute("UPDATE outbox_state SET version = 1")
    with connected(database.dsn, "test") as connection:
        found = {each.subject: each for each in doctor.diagnose(connection, load())}
    assert_documented(found["schema"], database)
    assert found["everything that waits is on its way"].outcome == "unknown"
    assert {found[subject].outcome for subject in checks.SUBJECTS} == {"unknown"}


def test_a_sequence_with_a_cache(database: Database) -> None:
    sign(database, Report())
    with database.connect(autocommit=True) as owner:
        owner.execute("ALTER SEQUENCE outbox_id_seq CACHE 20")
        found = see(database)
        assert found.answer == "no"
        finding = the(found, "sequence-cache")
        assert_documented(finding, database)
        owner.execute(statement(finding))
    assert see(database).answer == "yes"


def test_an_encoding_without_meaning(postgres: Database) -> None:
    with temporary_database(postgres) as found, postgres.connect(autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {found.name}".encode())
        admin.execute(
            f"CREATE DATABASE {found.name} WITH ENCODING 'SQL_ASCII' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
        apply_schema(found)
        sign(found, Report())
        assert_documented(the(see(found), "encoding"), found)


@contextmanager
def tiny_disk() -> Iterator[Path]:
    """A file system of two megabytes. Who may mount none cannot make this incident; CI neither."""
    folder = Path("/mnt") / "outbox-tiny-disk"
    mount = shutil.which("mount")
    folder.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("no file system of its own: this user may mount none")
    try:
        yield folder
    finally:
        subprocess.run([mount.replace("mount", "umount"), "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_disk_that_is_full(database: Database, postgres: Database) -> None:
    with tiny_disk() as folder, postgres.connect(autocommit=True) as admin:
        data = admin.execute("SHOW data_directory").fetchone()
        assert data is not None
        if not Path(data[0]).exists():
            pytest.skip("PostgreSQL runs elsewhere: its disk cannot be filled here")
        shutil.chown(folder, Path(data[0]).owner(), Path(data[0]).group())
        space = sql.Identifier(f"tiny_{database.name}")
        admin.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(space, str(folder)))
        try:
            with database.connect(autocommit=True) as owner:
                owner.execute(sql.SQL("ALTER TABLE outbox SET TABLESPACE {}").format(space))
                assert checked(database, "disk").outcome == "ok"
                (folder / "full").write_bytes(bytes(1_500_000))
                assert_documented(checked(database, "disk"), database)
                (folder / "full").unlink()
                assert checked(database, "disk").outcome == "ok"
                owner.execute("ALTER TABLE outbox SET TABLESPACE pg_default")
        finally:
            admin.execute(sql.SQL("DROP TABLESPACE {}").format(space))


def test_a_relay_that_postgresql_refuses_something(database: Database) -> None:
    sign(database, Report(fault="permission denied for table outbox"))
    assert the(see(database), "relay-fails").outcome == "warning"
    written(database)
    found = see(database)
    assert found.answer == "no"
    assert_documented(the(found, "relay-fails"), database)


def test_rows_of_a_table_that_was_the_outbox(database: Database) -> None:
    """A swap by RENAME leaves them behind; what doctor has typed brings them back, in order."""
    sign(database, Report())
    written(database)
    written(database)
    with database.connect(autocommit=True) as owner:
        owner.execute("ALTER TABLE outbox RENAME TO former")
        owner.execute("CREATE TABLE outbox (LIKE former INCLUDING ALL)")
        owner.execute("SELECT pg_stat_force_next_flush()")
        with connected(database.dsn, "test") as connection:
            found = {each.code: each for each in doctor.diagnose(connection, load())}
        assert "outbox_id_seq is no part of the table outbox" in found["schema"].detail
        finding = found["left-behind"]
        assert_documented(finding, database)
        owner.execute(statement(finding))
        assert owner.execute("SELECT id FROM outbox ORDER BY id").fetchall() == [(1,), (2,)]
        assert owner.execute("SELECT FROM former").fetchall() == []
        drawn = owner.execute("INSERT INTO outbox (name, payload) VALUES ('E', '{}') RETURNING id")
        assert drawn.fetchone() == (3,)


KEPT = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER kept BEFORE DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION keep()
"""
CHANGES = [
    ("table-unlogged", "ALTER TABLE outbox SET UNLOGGED"),
    ("triggers-disabled", "ALTER TABLE outbox DISABLE TRIGGER ALL"),
    ("table-parts", "DROP TRIGGER outbox_requeued ON outbox"),
    ("table-parts", "DELETE FROM outbox_shard WHERE shard > 60"),
    ("table-parts", "DELETE FROM outbox_lease WHERE shard > 60"),
    ("deletion", "CREATE RULE quiet AS ON DELETE TO outbox DO INSTEAD NOTHING"),
    ("deletion", "ALTER TABLE outbox REPLICA IDENTITY NOTHING"),
    ("deletion", "CREATE TABLE note (id bigint REFERENCES outbox)"),
    ("deletion", KEPT),
]


@pytest.mark.parametrize(("code", "change"), CHANGES)
def test_a_table_that_somebody_has_changed(database: Database, code: str, change: str) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute(change.encode())
        finding = checked(database, "table")
        assert finding.code == code
        assert_documented(finding, database)
        if code == "table-parts":
            apply_schema(database)
        else:
            owner.execute(statement(finding))
    assert checked(database, "table").outcome == "ok"


def test_a_published_row_that_somebody_has_locked(database: Database) -> None:
    sign(database, Report())
    written(database, age_seconds=300)
    with database.connect(autocommit=True) as owner:
        owner.execute(
            "UPDATE outbox_shard AS s SET unsettled = jsonb_build_object(o.id, o.event_id) "
            "FROM outbox AS o WHERE o.shard = s.shard"
        )
        found = see(database)
        # It waits for nobody but the one who has it locked.
        assert (found.answer, found.oldest_age_seconds) == ("yes", None)
        finding = the(found, "rows-locked")
        assert_documented(finding, database)
        owner.execute(statement(finding))
        owner.execute("DELETE FROM outbox")
    assert "rows-locked" not in codes(see(database))
