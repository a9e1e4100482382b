"""Rows that are saved before they are discarded, and restored as they were."""

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Identity, Roster
from relay.errors import RelayError, SchemaError
from relay.operations import saved_rows
from relay.operations.actions import Why, pause
from relay.operations.saved_rows import discard_saved, into, restore
from tests.support.postgres import Database
from tests.support.roles import member

WHY = Why("nobody wants them", "ann")
ALL = "SELECT o.*, o.payload::text, o.headers::text, o.metadata::text FROM outbox AS o ORDER BY id"


@pytest.fixture
def rows(database: Database) -> list[Any]:
    """Two parked rows, the second older than a rule on headers, and a pending one."""
    with database.connect() as owner:
        owner.execute(
            """
            INSERT INTO outbox (topic, key, name, payload, headers, metadata) VALUES
                ('audit', 'k', 'Event', '{ "a" :1.0, "é": "\\u00e9\\n" }', '{"traceparent": "0"}',
                 '{"versions": {}}'),
                (NULL, NULL, 'Event', '{}', NULL, NULL), (NULL, 'k', 'Event', '{}', NULL, NULL)
            """
        )
        owner.execute(
            "UPDATE outbox SET parked_at = now(), attempts = 2, last_error = 'bad', "
            'headers = CASE id WHEN 2 THEN \'{"seq": "9"}\'::json ELSE headers END WHERE id < 3'
        )
        return owner.execute(ALL).fetchall()


def stored(database: Database) -> list[Any]:
    with database.connect() as owner:
        return owner.execute(ALL).fetchall()


def saved(database: Database, file: Path, ids: Iterable[int] = (1, 2, 3)) -> list[int]:
    with database.connect() as connection:
        return discard_saved(connection, list(ids), WHY, into(file))


def restored(database: Database, file: Path) -> saved_rows.Restored:
    with database.connect() as connection, file.open("rb") as lines:
        return restore(connection, lines, WHY)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_restored_rows_are_what_they_were(database: Database, rows: list[Any], file: Path) -> None:
    assert saved(database, file) == [1, 2], "a pending row of a shard that is not paused is left"
    assert stored(database) == rows[2:]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = _requeues(database)
    assert restored(database, file) == saved_rows.Restored([1, 2], [])
    assert stored(database) == rows
    assert _requeues(database) > before, "relays look below their low watermarks"
    with database.connect() as owner:
        audit = owner.execute("SELECT action, person, outbox_id FROM outbox_audit ORDER BY 1, 3")
        assert audit.fetchall() == [
            ("discard", "ann", 1), ("discard", "ann", 2),
            ("restore", "ann", 1), ("restore", "ann", 2),
        ]  # fmt: skip


def _requeues(database: Database) -> int:
    with database.connect() as owner:
        found = owner.execute("SELECT requeues FROM outbox_state").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.usefixtures("rows")
def test_a_row_is_restored_once_and_as_it_was_or_not_at_all(database: Database, file: Path) -> None:
    saved(database, file)
    changed = file.read_text().replace("traceparent", "tracestate")
    forged = file.with_name("forged.jsonl")
    forged.write_text(changed.splitlines()[0] + "\n" + '{"id": 3}\n{"id": 99}\n')
    assert restored(database, forged) == saved_rows.Restored([], [1, 3, 99])
    assert restored(database, file).ids == [1, 2]
    assert restored(database, file) == saved_rows.Restored([], [1, 2])
    with database.connect() as owner:
        owner.execute("DELETE FROM outbox WHERE id = 1")  # as a relay does that published it
    assert restored(database, file) == saved_rows.Restored([], [1, 2])


@pytest.mark.usefixtures("rows")
def test_nothing_is_deleted_that_could_not_be_saved(database: Database, file: Path) -> None:
    before = stored(database)
    file.write_text("other rows")
    with pytest.raises(RelayError, match=r"File exists\); nothing was changed"):
        saved(database, file)
    assert file.read_text() == "other rows"
    with pytest.raises(RelayError, match="No such file or directory"):
        saved(database, Path("/nowhere/rows.jsonl"))
    assert stored(database) == before


@pytest.mark.usefixtures("rows")
def test_a_row_is_on_the_disk_before_it_is_deleted(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fsync = os.fsync

    def looked(descriptor: int) -> None:
        fsync(descriptor)
        seen.append(len(stored(database)))

    monkeypatch.setattr(os, "fsync", looked)
    saved(database, file)
    assert seen == [3, 3], "file and folder, both before the commit"


@pytest.mark.usefixtures("rows")
def test_what_is_no_saved_row_restores_nothing(database: Database, file: Path) -> None:
    saved(database, file)
    with file.open("a") as more:
        more.write("{}\n")
    with pytest.raises(RelayError, match="Line 3 is no saved row; nothing was changed"):
        restored(database, file)
    assert [row[0] for row in stored(database)] == [3]


@pytest.mark.usefixtures("rows")
def test_many_rows_go_in_batches(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_rows, "_BATCH_BYTES", 1)
    saved(database, file)
    assert restored(database, file).ids == [1, 2]


@pytest.mark.usefixtures("rows")
def test_a_state_that_waited_comes_back_parked_where_an_old_one_could_win(
    database: Database, file: Path
) -> None:
    with database.connect() as owner:
        Roster(Identity(True, "events", 60, states=("Event",))).sign(owner, Report())  # noqa: FBT003
        pause(owner, range(64), WHY)
    assert saved(database, file, [3]) == [3]
    assert restored(database, file).ids == [3]
    with database.connect() as owner:
        found = owner.execute("SELECT last_error FROM outbox WHERE id = 3 AND parked_at < now()")
        assert "a newer state may have gone out" in found.fetchall()[0][0]


@pytest.mark.usefixtures("rows")
def test_saving_takes_the_rights_of_two_roles(database: Database, file: Path) -> None:
    with (
        member(database, "outbox_operator") as operator,
        pytest.raises(SchemaError, match="outbox_payload_reader"),
    ):
        saved(operator, file)
    with member(database, "outbox_operator", "outbox_payload_reader") as both:
        assert saved(both, file.with_suffix(".2")) == [1, 2]
    with member(database, "outbox_operator") as operator:
        assert restored(operator, file.with_suffix(".2")).ids == [1, 2]
        with operator.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO outbox (name, payload) VALUES ('Event', '{}')")


@pytest.mark.usefixtures("rows")
def test_a_line_is_json_with_the_payload_as_a_text(database: Database, file: Path) -> None:
    saved(database, file)
    first = json.loads(file.read_text().splitlines()[0])
    assert first["payload"] == '{ "a" :1.0, "é": "\\u00e9\\n" }'
    assert (first["id"], first["topic"], first["attempts"]) == (1, "audit", 2)
