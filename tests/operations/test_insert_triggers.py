"""Triggers of inserted rows alone, for tables that are a log: later changes are not theirs."""

import psycopg
import pytest

from relay.operations.triggers import TrackedTable
from tests.support.postgres import Database
from tests.support.service import Stored

MADE = TrackedTable("hosts", "HostMade", ("id",), ("name",), inserts=True)
WHOLE = TrackedTable("hosts", "Host", ("id",), ("name", "status"))
INSERT = (
    "INSERT INTO hosts (id, name, status, inventory) VALUES (gen_random_uuid(), 'a', 'new', '{}')"
)


@pytest.mark.parametrize(
    "tables", [(MADE,), (MADE, WHOLE), (WHOLE, MADE)], ids=["alone", "first", "second"]
)
def test_an_insert_is_published_and_later_changes_are_not(
    tables: tuple[TrackedTable, ...], service_database: Database, stored: Stored
) -> None:
    with service_database.connect(autocommit=True) as owner:
        for table in tables:
            owner.execute(table.create().encode())
        owner.execute(INSERT)
        owner.execute("UPDATE hosts SET name = 'b'")
        with owner.transaction(force_rollback=True):
            owner.execute(INSERT)
        owner.execute("DELETE FROM hosts")
        owner.execute(MADE.drop().encode())
        owner.execute(INSERT)
    (made,) = stored.payloads("HostMade")
    assert (made["name"], made.get("deleted")) == ("a", None)
    assert len(stored.payloads("Host")) == 4 * (WHOLE in tables)


def test_a_published_column_is_renamed_but_not_dropped(service_database: Database) -> None:
    with service_database.connect(autocommit=True) as owner:
        owner.execute(MADE.create().encode())
        with pytest.raises(psycopg.errors.DependentObjectsStillExist):
            owner.execute("ALTER TABLE hosts DROP COLUMN name")
        owner.execute("ALTER TABLE hosts RENAME COLUMN name TO label")
        owner.execute(INSERT.replace("name", "label"))
        assert owner.execute("SELECT payload ->> 'name' FROM outbox").fetchall() == [("a",)]
