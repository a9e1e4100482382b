import psycopg
import pytest

from tests.support.postgres import Database, temporary_database


def tables(database: Database) -> set[str]:
    with database.connect() as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows}


def test_a_test_database_has_the_schema(database: Database) -> None:
    assert {"outbox", "outbox_shard"} <= tables(database)


def test_two_databases_do_not_see_each_other(
    postgres: Database, template_database: Database
) -> None:
    with (
        temporary_database(postgres, template_database) as one,
        temporary_database(postgres, template_database) as other,
    ):
        with one.connect() as connection:
            connection.execute("CREATE TABLE only_here (id int)")
        assert "only_here" in tables(one)
        assert "only_here" not in tables(other)


def test_an_empty_database_is_empty(empty_database: Database) -> None:
    assert tables(empty_database) == set()


def test_a_database_is_dropped_although_somebody_is_connected(postgres: Database) -> None:
    with temporary_database(postgres) as gone:
        left_open = gone.connect()
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    left_open.close()
