"""From version 1 of the tables, with its rows and its programs beside the migration."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import psycopg
import pytest

from relay.database import schema
from relay.database.migration import migrate
from relay.database.migrations import Migration, Phase, load
from relay.errors import SchemaError
from tests.support.catalog import described
from tests.support.postgres import Database
from tests.support.roles import member

VERSION_1 = (Path(__file__).parent / "fixtures" / "version_1.sql").read_text()

# Statements of version 1, as its programs sent them.
WRITE_1 = """
WITH stored AS (
    INSERT INTO events (event_id, name, category, severity, message, event_time, cluster_id, props)
    SELECT gen_random_uuid(), 'Event', 'user', 'info', %(message)s, clock_timestamp(),
           '00000000-0000-0000-0000-000000000001', '{}'
)
INSERT INTO outbox (event_id, topic, key, name, payload, metadata, headers)
VALUES (gen_random_uuid(), NULL, 'k', 'Event', %(payload)s, '{}', %(headers)s)
"""
ADMITTED_1 = "SELECT event_admitted('Event', %(about)s, now(), interval '1 hour')"
CLAIM_1 = "SELECT shard, probation_until FROM outbox_shard FOR UPDATE SKIP LOCKED"
READ_1 = "SELECT id, payload::text, size, headers::text FROM outbox ORDER BY shard, id"
START_PROBATION_1 = "UPDATE outbox_shard SET probation_until = 9 WHERE shard = 3"
LIST_1 = "SELECT event_id, message FROM events WHERE cluster_id IS NOT NULL ORDER BY event_time, id"
PURGE_1 = "DELETE FROM events WHERE (event_time, id) <= (now() + interval '1 day', 1)"
PURGE_LIMITS_1 = """
WITH silent AS MATERIALIZED (
    SELECT name, resource FROM event_limit WHERE last_at + pause <= now() + interval '1 day'
       FOR UPDATE SKIP LOCKED
)
DELETE FROM event_limit AS l USING silent
 WHERE l.name = silent.name AND l.resource = silent.resource
RETURNING l.name
"""
ABOUT = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def version_1(empty_database: Database) -> Database:
    with empty_database.connect() as connection:
        connection.execute(VERSION_1.encode())
    return empty_database


def write_1(connection: psycopg.Connection, number: int, headers: str | None = None) -> None:
    connection.execute(
        WRITE_1,
        {"message": f"m{number}", "payload": f'{{"number": {number}}}', "headers": headers},
    )


def payloads(connection: psycopg.Connection) -> list[str]:
    found = connection.execute("SELECT payload::text FROM outbox ORDER BY id")
    return [payload for (payload,) in found]


def test_the_sum_of_the_migrations_is_the_schema(version_1: Database, database: Database) -> None:
    before = migrate(version_1.dsn)
    assert before.waiting == tuple(m.name for m in load() if m.phase is Phase.POST)
    after = migrate(version_1.dsn, phase=Phase.POST)
    assert before.applied + after.applied == tuple(m.name for m in load())
    migrated, fresh = described(version_1), described(database)
    for aspect, found in fresh.items():
        assert migrated[aspect] == found, aspect


def test_a_new_database_has_all_migrations_behind_it(empty_database: Database) -> None:
    assert migrate(empty_database.dsn).waiting == ()
    assert not migrate(empty_database.dsn, phase=Phase.POST).changed


def test_rows_events_and_limits_are_kept_in_order(version_1: Database) -> None:
    with version_1.connect() as connection:
        for number in range(20):
            write_1(connection, number)
        assert connection.execute(ADMITTED_1, {"about": ABOUT}).fetchone() == (True,)
        connection.execute("UPDATE outbox SET parked_at = now(), last_error = 'x' WHERE id = 3")
        before = connection.execute(
            "SELECT id, event_id, shard, payload::text, created_at, parked_at, last_error"
            " FROM outbox ORDER BY id"
        ).fetchall()
        events = connection.execute("SELECT * FROM events ORDER BY id").fetchall()
    migrate(version_1.dsn, phase=Phase.POST)
    with version_1.connect() as connection:
        after = connection.execute(
            "SELECT id, event_id, shard, payload::text, created_at, parked_at, last_error"
            " FROM outbox ORDER BY id"
        ).fetchall()
        assert after == before
        # None of them belongs to something of the service's own.
        kept = connection.execute("SELECT * FROM outbox_event ORDER BY id").fetchall()
        assert kept == [(*event, None, None) for event in events]
        again = connection.execute(
            "SELECT outbox_event_admitted('Event', %s, now(), interval '1 hour')", [ABOUT]
        )
        assert again.fetchone() == (False,)


def test_programs_of_version_1_go_on_until_post(version_1: Database) -> None:
    migrate(version_1.dsn)
    with member(version_1, "outbox_writer") as user, user.connect(autocommit=True) as service:
        write_1(service, 1)
        assert service.execute(ADMITTED_1, {"about": ABOUT}).fetchone() == (True,)
        assert service.execute(ADMITTED_1, {"about": ABOUT}).fetchone() == (False,)
        # Its replays too, with the header of theirs.
        write_1(service, 2, headers='{"replay": "true"}')
    with member(version_1, "outbox_relay") as user, user.connect(autocommit=True) as relay:
        state = relay.execute("SELECT version, oldest_relay FROM outbox_state").fetchone()
        assert state == (schema.SCHEMA_VERSION, 1)
        assert len(relay.execute(CLAIM_1).fetchall()) == 64
        relay.execute(START_PROBATION_1)
        found = relay.execute(READ_1).fetchall()
        assert [(size, headers) for _, _, size, headers in found] == [
            (13, None),
            (13, '{"replay": "true"}'),
        ]
        assert relay.execute("DELETE FROM outbox").rowcount == 2
    with member(version_1, "outbox_api") as user, user.connect(autocommit=True) as api:
        assert [message for _, message in api.execute(LIST_1)] == ["m1", "m2"]
    with member(version_1, "outbox_purger") as user, user.connect(autocommit=True) as purger:
        assert purger.execute(PURGE_1).rowcount == 2
        assert purger.execute(PURGE_LIMITS_1).fetchall() == [("Event",)]


def test_post_refuses_relays_of_version_1_and_takes_their_views(version_1: Database) -> None:
    migrate(version_1.dsn, phase=Phase.POST)
    with version_1.connect(autocommit=True) as connection:
        state = connection.execute("SELECT oldest_relay FROM outbox_state").fetchone()
        assert state == (2,)
        for gone in ("events", "event_limit"):
            assert connection.execute("SELECT to_regclass(%s)", [gone]).fetchone() == (None,)
        with pytest.raises(psycopg.errors.CheckViolation, match="'replay' is written by the relay"):
            connection.execute(
                "INSERT INTO outbox (name, payload, headers)"
                " VALUES ('E', '{}', '{\"replay\": \"1\"}')"
            )


def test_a_writer_of_version_1_that_never_stops_loses_nothing(version_1: Database) -> None:
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        with version_1.connect(autocommit=True) as service:
            for number in itertools.count():
                if stop.is_set():
                    return
                write_1(service, number)
                written.append(number)

    with ThreadPoolExecutor(1) as background:
        writer = background.submit(write)
        try:
            migrate(version_1.dsn)
            at_migration = len(written)
            while len(written) < at_migration + 20 and not writer.done():
                pass
        finally:
            stop.set()
        writer.result()
    with version_1.connect() as connection:
        assert payloads(connection) == [f'{{"number": {number}}}' for number in written]
        counted = connection.execute("SELECT count(*) FROM outbox_event").fetchone()
        assert counted == (len(written),)


# More than an index takes, however it is compressed.
LONG = "(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 200) AS g)"
ODD_ROWS = {
    "a key too long": (LONG, "'{}'", "NULL", "now()"),
    "an infinite time": ("'k'", "'{}'", "NULL", "'infinity'"),
    "a time before all": ("'k'", "'{}'", "NULL", "'-infinity'"),
    "a reserved header": ("'k'", "'{}'", '\'{"id": "mine", "replay": "true"}\'', "now()"),
    "a header that is no text": ("'k'", "'{}'", "'{\"n\": 1}'", "now()"),
    "half a surrogate pair": ("'k'", '\'{"x": "\\ud800"}\'', "NULL", "now()"),
}


@pytest.mark.parametrize("odd", ODD_ROWS)
def test_rows_that_are_older_than_a_rule_are_kept_and_may_be_parked(
    version_1: Database, odd: str
) -> None:
    key, payload, headers, created_at = ODD_ROWS[odd]
    insert = (
        "INSERT INTO outbox (name, key, payload, headers, created_at)"
        f" VALUES ('E', {key}, {payload}, {headers}, {created_at})"
    )
    with version_1.connect() as connection:
        connection.execute(insert.encode())
        connection.execute(
            "INSERT INTO event_limit VALUES ('E', gen_random_uuid(), 'infinity', '1 h')"
        )
        connection.execute(
            "INSERT INTO events (name, severity, message, event_time, request_id)"
            f" VALUES ({LONG}, 'info', 'm', '-infinity', {LONG})".encode()
        )
    migrate(version_1.dsn, phase=Phase.POST)
    with version_1.connect() as connection:
        row = connection.execute(
            "SELECT isfinite(created_at), payload::text, octet_length(key) FROM outbox"
        ).fetchone()
        assert row is not None
        assert row[:2] == (True, payload.strip("'"))
        assert connection.execute("SELECT isfinite(event_time) FROM outbox_event").fetchone() == (
            True,
        )
        connection.execute("UPDATE outbox SET attempts = 1, parked_at = now(), last_error = 'x'")
        assert connection.execute("SELECT outbox_requeue(ARRAY[1], 'again')").fetchone() == (1,)
    with version_1.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(insert.encode())


def test_a_table_that_version_1_took_goes_back_to_the_service(
    empty_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with empty_database.connect() as service:
        service.execute(
            "CREATE TABLE events (id int PRIMARY KEY, name text, category text, severity text,"
            " message text, event_time timestamptz, cluster_id uuid, host_id uuid,"
            " infra_env_id uuid)"
        )
        service.execute(
            "INSERT INTO events (id, message) SELECT i, 'mine' FROM generate_series(1, 500) i"
        )
        service.execute("CREATE INDEX of_the_service ON events (name)")
        service.execute(VERSION_1.encode())
    migrate(empty_database.dsn, phase=Phase.POST)
    assert "the table events is not the outbox's, it has no column event_id" in caplog.text
    with empty_database.connect() as service:
        kept = service.execute("SELECT count(*) FROM events WHERE message = 'mine'").fetchone()
        indexes = service.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'events' ORDER BY 1"
        ).fetchall()
        granted = service.execute(
            "SELECT rolname FROM pg_roles WHERE rolname ~ '^outbox_' AND ("
            " has_any_column_privilege(rolname, 'events', 'SELECT, INSERT')"
            " OR has_table_privilege(rolname, 'events', 'DELETE'))"
        ).fetchall()
        assert (kept, indexes, granted) == ((500,), [("events_pkey",), ("of_the_service",)], [])
        service.execute("SELECT event_id FROM outbox_event")


def test_a_rollout_that_was_not_finished_is_finished_first(
    version_1: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = (*load(), Migration(9, Phase.PRE, "0009_pre_later", "SELECT 1"))
    monkeypatch.setattr("relay.database.migrations.load", lambda: later)
    with pytest.raises(SchemaError, match=r"0004_post_without_version_1 is missing.*--phase post"):
        migrate(version_1.dsn)
    with version_1.connect() as connection:
        assert connection.execute("SELECT version FROM outbox_state").fetchone() == (1,)


def test_an_index_of_a_table_with_rows_is_built_while_others_write(
    version_1: Database,
) -> None:
    with version_1.connect(autocommit=True) as connection:
        write_1(connection, 1)
        connection.execute("DROP INDEX events_by_message, events_by_host, outbox_parked")
    migrate(version_1.dsn)
    with version_1.connect() as connection:
        built = connection.execute(
            "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid IN ("
            "'outbox_event_by_message'::regclass, 'outbox_event_by_host'::regclass,"
            " 'outbox_parked'::regclass)"
        ).fetchone()
    assert built == (3,)


def test_the_files_are_numbered_and_shipped() -> None:
    assert [migration.number for migration in load()] == list(range(1, len(load()) + 1))
    assert resources.files("relay.database.migrations").joinpath("0001_pre_outbox.sql").is_file()
