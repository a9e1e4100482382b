"""Triggers that publish a column of type json name it where jsonb cannot take its value."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from relay.operations.triggers import TrackedTable
from tests.support.postgres import Database
from tests.support.service import Stored

WHOLE = TrackedTable("hosts", "Host", ("id",), ("status", "facts"))
INSERTED = TrackedTable("hosts", "HostMade", ("id",), ("facts",), inserts=True)
INSERT = "INSERT INTO hosts (id, name, status, inventory, facts) VALUES (%s, 'h', 'new', '{}', %s)"


@pytest.fixture
def service(service_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with service_database.connect(autocommit=True) as connection:
        connection.execute("ALTER TABLE hosts ADD facts json")
        yield connection


@pytest.mark.parametrize("table", [WHOLE, INSERTED])
@pytest.mark.parametrize("value", ["\\u0000", "\\ud800", "\\udc00x"])
def test_what_cannot_be_published_is_refused_by_name(
    service: psycopg.Connection[Any], table: TrackedTable, value: str
) -> None:
    service.execute(table.create().encode())
    with pytest.raises(psycopg.DataError) as refused:
        service.execute(INSERT, (uuid.uuid4(), f'{{"serial": "hunter2{value}"}}'))
    assert "table hosts: the column facts holds JSON" in str(refused.value)
    assert "--columns" in str(refused.value.diag.message_hint)
    assert "hunter2" not in str(refused.value)


def test_a_row_that_was_there_is_mended_and_then_published(
    service: psycopg.Connection[Any], stored: Stored
) -> None:
    host = uuid.uuid4()
    service.execute(INSERT, (host, '"\\u0000"'))
    service.execute(WHOLE.create().encode())
    for statement in ("UPDATE hosts SET status = 'known'", "DELETE FROM hosts"):
        with pytest.raises(psycopg.DataError, match="the column facts"):
            service.execute(statement.encode())
    service.execute("UPDATE hosts SET facts = '\"mended\"'")
    service.execute("DELETE FROM hosts")
    assert [row["payload"] for row in stored.outbox()] == [
        {"id": str(host), "status": "new", "facts": "mended"},
        {"id": str(host), "status": "new", "facts": "mended", "deleted": True},
    ]
