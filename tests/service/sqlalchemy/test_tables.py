"""schema.sql and the SQLAlchemy tables describe the same tables."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, Inspector, create_engine, inspect

from relay.service.sqlalchemy import tables
from tests.support.postgres import Database, apply_schema
from tests.support.service import url

NAMES = sorted(tables.metadata.tables)


@pytest.fixture
def by_script(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    yield engine
    engine.dispose()


@pytest.fixture
def by_metadata(empty_database: Database) -> Iterator[Engine]:
    engine = create_engine(url(empty_database))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE EXTENSION pg_trgm")
    tables.metadata.create_all(engine)
    yield engine
    engine.dispose()


def described(inspector: Inspector, table: str) -> dict[str, Any]:
    columns = [
        {**column, "type": repr(column["type"]), "comment": None}
        for column in inspector.get_columns(table)
    ]
    return {
        "columns": columns,
        "primary key": inspector.get_pk_constraint(table),
        "unique": inspector.get_unique_constraints(table),
        "checks": sorted(
            (check["name"] or "", check["sqltext"])
            for check in inspector.get_check_constraints(table)
        ),
        "indexes": sorted(inspector.get_indexes(table), key=lambda index: index["name"] or ""),
    }


def test_the_same_tables(by_script: Engine, by_metadata: Engine) -> None:
    assert sorted(inspect(by_script).get_table_names()) == NAMES
    assert sorted(inspect(by_metadata).get_table_names()) == NAMES


@pytest.mark.parametrize("table", NAMES)
def test_the_same_columns_constraints_and_indexes(
    table: str, by_script: Engine, by_metadata: Engine
) -> None:
    script, ours = described(inspect(by_script), table), described(inspect(by_metadata), table)
    assert ours == script


def test_what_is_compared_has_the_particulars(by_script: Engine) -> None:
    outbox = described(inspect(by_script), "outbox")
    columns = {column["name"]: column for column in outbox["columns"]}
    assert columns["id"]["identity"]["always"] is True
    assert "hashtextextended" in columns["shard"]["computed"]["sqltext"]
    assert columns["created_at"]["default"] == "clock_timestamp()"
    assert columns["name"]["nullable"] is False
    where = {index["name"]: index["dialect_options"] for index in outbox["indexes"]}
    assert where["outbox_pending"]["postgresql_where"] == "(parked_at IS NULL)"
    assert any("json_typeof" in text for _, text in outbox["checks"])


def test_migrating_completes_what_the_metadata_made(
    by_metadata: Engine, empty_database: Database
) -> None:
    assert by_metadata.url.database == empty_database.name
    apply_schema(empty_database)
    with empty_database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM outbox_shard").fetchone() == (64,)
        connection.execute("SELECT outbox_emit('Event', '{}')")
        rows = connection.execute("SELECT relname, reloptions FROM pg_class").fetchall()
    options: dict[str, list[str]] = dict(rows)
    assert "vacuum_truncate=off" in options["outbox"]
    # A purge leaves dead rows, and lists are counted by the visibility map.
    for kind in ("vacuum", "vacuum_insert", "analyze"):
        assert f"autovacuum_{kind}_scale_factor=0.02" in options["outbox_event"]
