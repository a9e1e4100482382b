"""docs/alembic.md, followed word by word; and autogenerate beside a service's own tables."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine

from relay.alembic import OutboxMigrate, include_object
from relay.database.schema import verify
from relay.errors import SchemaError
from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.service import url

PAGE = (ROOT / "docs" / "alembic.md").read_text()
FILES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def project(empty_database: Database, tmp_path: Path) -> Path:
    """An Alembic project with the files of the page."""
    for name, content in FILES.items():
        file = tmp_path / "migrations" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (tmp_path / "alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\npath_separator = os\n"
        f"sqlalchemy.url = {url(empty_database).render_as_string(hide_password=False)}\n"
    )
    return tmp_path


def alembic(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.processes
def test_the_page_works_on_an_empty_database(project: Path, empty_database: Database) -> None:
    assert set(FILES) == {"env.py", "versions/0001_outbox.py"}
    upgraded = alembic(project, "upgrade", "head")
    assert upgraded.returncode == 0, upgraded.stderr
    with empty_database.connect() as connection:
        verify(connection)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("0001",)
        ]
    checked = alembic(project, "check")
    assert "No new upgrade operations detected" in checked.stdout + checked.stderr


@pytest.mark.processes
def test_sql_mode_is_refused(project: Path) -> None:
    env = project / "migrations" / "env.py"
    env.write_text(env.read_text().replace("connection=connection", "url=str(engine.url)"))
    written = alembic(project, "upgrade", "head", "--sql")
    assert written.returncode != 0
    assert "run `relay migrate` there instead" in written.stderr


def test_autogenerate_proposes_nothing_beside_the_services_tables(database: Database) -> None:
    metadata = MetaData()
    Table("events", metadata, Column("id", Integer, primary_key=True), Column("what", Text))
    engine = create_engine(url(database))
    with engine.connect() as connection:
        metadata.create_all(connection)
        options = {"include_object": include_object}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        # It does look: of what is missing it tells.
        Table("another", metadata, Column("id", Integer, primary_key=True))
        assert [change[0] for change in compare_metadata(context, metadata)] == ["add_table"]
    engine.dispose()


def test_a_table_of_the_service_that_has_only_the_name_is_compared(
    empty_database: Database,
) -> None:
    engine = create_engine(url(empty_database))
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE outbox (id int)")
        options = {"include_object": include_object}
        context = MigrationContext.configure(connection, opts=options)
        assert [change[0] for change in compare_metadata(context, MetaData())] == ["remove_table"]
    engine.dispose()


def test_a_revision_that_fails_leaves_nothing_and_other_settings_as_they_were(
    empty_database: Database,
) -> None:
    engine = create_engine(url(empty_database))
    with engine.connect() as connection:
        with connection.begin() as transaction:
            operations = Operations(MigrationContext.configure(connection))
            before = connection.exec_driver_sql("SHOW search_path").scalar()
            assert OutboxMigrate.outbox_migrate(operations, schema="own").changed
            assert connection.exec_driver_sql("SHOW search_path").scalar() == before
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "0"
            transaction.rollback()
        found = connection.exec_driver_sql("SELECT to_regnamespace('own')").scalar()
        assert found is None
    engine.dispose()


def test_another_driver_is_refused_with_what_to_do() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with pytest.raises(SchemaError, match="relay migrate"):
            OutboxMigrate.outbox_migrate(operations)
    engine.dispose()
