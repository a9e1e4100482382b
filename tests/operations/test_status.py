import json
from collections.abc import Iterator

import psycopg
import pytest

from relay.database.session import connected
from relay.errors import DatabaseUnavailableError, SchemaError
from relay.operations import status as inspection
from relay.operations.status import Holder, KeyOrder, Status, inspect
from tests.support.postgres import Database
from tests.support.roles import member

SECRET = "the payload's own secret"


def look(
    database: Database, *, keys: int = 10, order: KeyOrder = "rows", parked: int = 10
) -> Status:
    with connected(database.dsn, "test") as connection:
        return inspect(connection, keys=keys, order=order, parked=parked)


def write(database: Database, key: str | None, *, rows: int = 1, age_seconds: int = 0) -> int:
    """Write rows of one key; the shard that they are in."""
    with database.connect() as writer:
        written = writer.execute(
            """
            INSERT INTO outbox (name, key, payload, created_at)
            SELECT 'Event', %s, json_build_object('secret', %s::text),
                   clock_timestamp() - make_interval(secs => %s)
              FROM generate_series(1, %s)
            RETURNING shard
            """,
            [key, SECRET, age_seconds, rows],
        ).fetchone()
    assert written is not None
    return int(written[0])


@pytest.fixture
def worker(database: Database) -> Iterator[psycopg.Connection]:
    """A connection that looks like a relay's."""
    with psycopg.connect(f"{database.dsn}?application_name=relay-7") as connection:
        yield connection


def test_an_empty_outbox(database: Database) -> None:
    status = look(database)
    assert (status.pending, status.parked, status.oldest_age_seconds) == (0, 0, None)
    assert len(status.shards) == 64
    assert status.streaming
    assert status.notes == ()


def test_backlog_and_age_by_shard(database: Database) -> None:
    old = write(database, "a", rows=2, age_seconds=3600)
    new = write(database, "b", rows=3, age_seconds=60)
    assert old != new, "pick keys of different shards"
    status = look(database)
    assert status.pending == 5
    assert status.oldest_age_seconds == pytest.approx(3600, abs=30)
    by_shard = {shard.shard: shard for shard in status.shards}
    assert by_shard[old].pending == 2
    assert by_shard[new].pending == 3
    assert by_shard[new].oldest_age_seconds == pytest.approx(60, abs=30)


def test_a_shard_that_is_paused_or_on_probation(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE outbox_shard SET paused_at = now() WHERE shard = 3")
        connection.execute("UPDATE outbox_shard SET isolated_until = 9 WHERE shard = 4")
    shards = look(database).shards
    assert shards[3].paused_at is not None
    assert shards[4].isolated_until == 9
    assert shards[3].holder is None


def test_who_holds_a_shard(database: Database, worker: psycopg.Connection) -> None:
    worker.execute("SELECT FROM outbox_shard WHERE shard IN (5, 6) FOR UPDATE")
    shards = look(database).shards
    holder = shards[5].holder
    assert holder is not None
    assert (holder.pid, holder.application_name) == (worker.info.backend_pid, "relay-7")
    assert holder.client_address is not None
    assert holder.since is not None
    assert shards[6].holder == holder
    assert shards[7].holder is None
    worker.commit()
    assert look(database).shards[5].holder is None


def test_what_a_reader_may_not_see_is_said(database: Database, worker: psycopg.Connection) -> None:
    worker.execute("SELECT FROM outbox_shard WHERE shard = 5 FOR UPDATE")
    with member(database, "outbox_reader") as reader:
        status = look(reader)
    assert status.shards[5].holder == Holder(worker.info.backend_pid, "relay-7", None, None)
    assert "pg_read_all_stats" in status.notes[0]


def test_a_reader_who_may_see_statistics_sees_everything(
    database: Database, worker: psycopg.Connection
) -> None:
    worker.execute("SELECT FROM outbox_shard WHERE shard = 5 FOR UPDATE")
    with member(database, "outbox_reader", "pg_read_all_stats") as reader:
        status = look(reader)
    holder = status.shards[5].holder
    assert holder is not None
    assert holder.since is not None
    assert status.notes == ()


def test_keys_by_rows_and_by_age(database: Database) -> None:
    write(database, "many", rows=3, age_seconds=10)
    write(database, "old", rows=1, age_seconds=1000)
    write(database, "few", rows=2, age_seconds=10)
    write(database, None, rows=9)
    by_rows = look(database, keys=2, order="rows").keys
    assert [(key.key, key.pending) for key in by_rows] == [("many", 3), ("few", 2)]
    by_age = look(database, keys=1, order="age").keys
    assert [key.key for key in by_age] == ["old"]


def test_parked_rows_with_their_errors(database: Database) -> None:
    write(database, "a", rows=3)
    with database.connect() as connection:
        connection.execute(
            "UPDATE outbox SET parked_at = now() + make_interval(secs => id), attempts = 2, "
            "last_error = 'error ' || id WHERE id < 3"
        )
    status = look(database, parked=1)
    assert (status.pending, status.parked) == (1, 2)
    (newest,) = status.newest_parked
    assert (newest.id, newest.key, newest.attempts, newest.last_error) == (2, "a", 2, "error 2")


def test_payloads_stay_out_of_it(database: Database) -> None:
    write(database, "a")
    with database.connect() as connection:
        connection.execute("UPDATE outbox SET parked_at = now()")
    write(database, "b")
    assert SECRET not in json.dumps(look(database).as_dict(), default=str)


def test_counting_ends_at_a_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "COUNT_LIMIT", 4)
    write(database, "a", rows=5)
    status = look(database)
    assert (status.pending, status.pending_is_capped) == (4, True)
    assert (status.parked, status.parked_is_capped) == (0, False)


def test_what_takes_too_long_is_left_out_and_said(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "STATEMENT_TIMEOUT_MS", 100)
    with database.connect() as blocker:
        blocker.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        status = look(database)
    assert status.pending is None
    assert status.parked is None
    assert {shard.pending for shard in status.shards} == {None}
    assert any("the number of rows" in note for note in status.notes)


def test_a_user_without_rights_is_told_which_role_helps(database: Database) -> None:
    with (
        member(database, "outbox_writer") as writer,
        pytest.raises(SchemaError, match="outbox_reader"),
    ):
        look(writer)


def test_a_database_without_the_tables(empty_database: Database) -> None:
    with pytest.raises(SchemaError, match="relay migrate"):
        look(empty_database)


def test_a_server_that_is_away() -> None:
    away = Database("postgresql://relay:sesame@127.0.0.1:1/outbox")
    with pytest.raises(DatabaseUnavailableError, match="Connection refused") as failure:
        look(away)
    assert "sesame" not in str(failure.value)
