"""Triggers that publish paths of a text column go on where that text holds no JSON."""

import uuid

import pytest

from relay.operations.triggers import TrackedTable
from tests.support.postgres import Database
from tests.support.service import Stored

PATHS = TrackedTable("hosts", "Host", ("id",), ("status", "notes.cpu", "notes.disks.size"))


@pytest.mark.parametrize(
    "text", ["no JSON", '{"a": 1', '"\\ud800"', '{"cpu": "\\u0000"}', "[" * 9000]
)
def test_a_text_that_is_no_json_fails_no_transaction(
    service_database: Database, stored: Stored, text: str
) -> None:
    with service_database.connect(autocommit=True) as owner:
        owner.execute("ALTER TABLE hosts ADD notes text")
        owner.execute(PATHS.create().encode())
    warnings: list[str | None] = []
    with service_database.connect() as service:
        service.add_notice_handler(lambda notice: warnings.append(notice.message_primary))
        host = uuid.uuid4()
        service.execute(
            "INSERT INTO hosts (id, name, status, inventory, notes)"
            " VALUES (%s, 'h', 'known', '{}', %s)",
            (host, text),
        )
        service.commit()
    (row,) = stored.outbox()
    assert row["payload"] == {"id": str(host), "status": "known", "notes": None}
    assert any("a value of notes is no JSON" in str(warning) for warning in warnings)
