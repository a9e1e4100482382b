"""What each role may and may not do, tried out by real users."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from relay.database import schema
from tests.support.postgres import Database
from tests.support.roles import member

INSERT = "INSERT INTO outbox (name, payload, key) VALUES ('Event', '{\"a\": 1}', 'k')"
PARK = "UPDATE outbox SET parked_at = clock_timestamp(), last_error = 'bad', attempts = 1"

Connect = Callable[[str], psycopg.Connection]


@pytest.fixture
def connect(database: Database) -> Iterator[Connect]:
    with database.connect() as owner:
        owner.execute(INSERT)
    with ExitStack() as opened:

        def as_member(role: str) -> psycopg.Connection:
            user = opened.enter_context(member(database, role))
            return opened.enter_context(user.connect(autocommit=True))

        yield as_member


def refused(connection: psycopg.Connection, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement.encode())


def test_a_writer_inserts_and_sees_nothing(connect: Connect) -> None:
    writer = connect("outbox_writer")
    writer.execute(INSERT)
    writer.execute(
        "INSERT INTO outbox_event (name, severity, message) VALUES ('Event', 'info', 'it happened')"
    )
    refused(
        writer,
        f"{INSERT} RETURNING id",
        f"{INSERT} ON CONFLICT (id) DO NOTHING",
        "SELECT id FROM outbox",
        "SELECT id FROM outbox_overview",
        "SELECT id FROM outbox_event",
        "SELECT name FROM outbox_event_limit",
        "DELETE FROM outbox_event_limit",
        "SELECT shard FROM outbox_shard",
        "UPDATE outbox SET name = 'Other'",
        "DELETE FROM outbox",
        "TRUNCATE outbox",
        "UPDATE outbox_state SET streaming = false",
    )


@pytest.mark.parametrize("role", ["outbox_writer", "outbox_api"])
def test_a_writer_chooses_no_time_id_or_count(connect: Connect, role: str) -> None:
    writer = connect(role)
    for column, value in {
        "id": "1",
        "created_at": "'infinity'",
        "attempts": "32767",
        "parked_at": "now()",
        "last_error": "'x'",
    }.items():
        refused(
            writer,
            f"INSERT INTO outbox (name, payload, {column}) OVERRIDING SYSTEM VALUE"
            f" VALUES ('E', '{{}}', {value})",
        )
    refused(
        writer,
        "INSERT INTO outbox_event (id, name, severity, message) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 'E', 'info', 'm')",
    )


BAD_ROWS = {
    "a long key": ("payload, key", "'{}', repeat('ä', 513)", "key: it has 1026 bytes"),
    "half a pair": ("payload", r"""'{"a": "\uD83D"}'""", "surrogate"),
    "the other half": ("payload", r"""'{"a": "x\udE00y"}'""", "surrogate"),
    "a pair in reverse": ("payload", r"""'{"a": "\uDE00\uD83D"}'""", "surrogate"),
    "NUL": ("payload", r"""'{"a": "\u0000"}'""", "NUL"),
    "NUL in a header": ("payload, headers", r"""'{}', '{"a": "\u0000"}'""", "NUL"),
    "half a pair in metadata": ("payload, metadata", r"""'{}', '{"a": "\ud800"}'""", "surrogate"),
    "a number in a header": ("payload, headers", "'{}', '{\"a\": 1}'", "'a' is no text"),
    "a null in a header": ("payload, headers", "'{}', '{\"a\": null}'", "'a' is no text"),
    "a header without a name": ("payload, headers", "'{}', '{\"\": \"a\"}'", "name is empty"),
    "the header id": ("payload, headers", "'{}', '{\"id\": \"a\"}'", "written by the relay"),
    "the header seq": ("payload, headers", "'{}', '{\"seq\": \"a\"}'", "written by the relay"),
    "the header replay": ("payload, headers", "'{}', '{\"replay\": \"a\"}'", "column replayed"),
    "a name of headers spelt out": (
        "payload, headers",
        r"""'{}', '{"\u0069d": "a"}'""",
        "written by the relay",
    ),
}


@pytest.mark.parametrize("bad", BAD_ROWS)
def test_what_could_not_be_published_is_refused_to_the_writer(connect: Connect, bad: str) -> None:
    columns, values, told = BAD_ROWS[bad]
    statement = f"INSERT INTO outbox (name, {columns}) VALUES ('E', {values})"
    with pytest.raises(CheckViolation, match=told) as refusal:
        connect("outbox_writer").execute(statement.encode())
    assert refusal.value.diag.message_detail is None


def test_what_only_looks_like_it_is_taken(connect: Connect) -> None:
    writer = connect("outbox_writer")
    for payload in (
        r'{"a": "\ud83d\ude00"}',
        r'{"a": "\\ud800"}',
        r'{"a": "\\\\u0000"}',
        r'{"\u00e4": 1}',
    ):
        writer.execute(
            "INSERT INTO outbox (name, payload, key, headers) VALUES ('E', %s, %s, %s)",
            [payload, "k" * 1024, '{"traceparent": "00-1", "ID": "a"}'],
        )


def test_a_service_that_replays_says_so_in_the_column(connect: Connect) -> None:
    writer = connect("outbox_writer")
    writer.execute("INSERT INTO outbox (name, payload, replayed) VALUES ('E', '{}', true)")
    writer.execute("SELECT outbox_emit('E', '{}', replayed => true)")


def test_a_writer_may_use_the_function(connect: Connect) -> None:
    writer = connect("outbox_writer")
    emitted = writer.execute("SELECT outbox_emit('Event', '{}')").fetchone()
    assert emitted is not None
    assert emitted[0] is not None


def test_only_a_writer_asks_for_a_rate_limit(connect: Connect) -> None:
    admitted = "SELECT outbox_event_admitted('Event', gen_random_uuid(), now(), '1 hour')"
    assert connect("outbox_writer").execute(admitted.encode()).fetchone() == (True,)
    delay = "SELECT outbox_event_delay('Event', gen_random_uuid(), '1 hour')"
    assert connect("outbox_api").execute(delay.encode()).fetchone() == (None,)
    for role in ("outbox_relay", "outbox_reader", "outbox_operator"):
        refused(connect(role), admitted, delay)


def test_a_relay_claims_settles_and_parks(connect: Connect) -> None:
    relay = connect("outbox_relay")
    schema.verify(relay)
    relay.execute("SELECT last_value FROM outbox_id_seq")
    relay.execute("SELECT shard FROM outbox_shard FOR UPDATE SKIP LOCKED")
    relay.execute("UPDATE outbox_shard SET isolated_until = 1 WHERE shard = 0")
    relay.execute("UPDATE outbox_state SET streaming = true")
    relay.execute(PARK)
    assert relay.execute("SELECT payload::text FROM outbox").fetchone() == ('{"a": 1}',)
    assert relay.execute("DELETE FROM outbox").rowcount == 1


def test_a_relay_never_changes_what_a_row_says(connect: Connect) -> None:
    refused(
        connect("outbox_relay"),
        INSERT,
        "UPDATE outbox SET payload = '{}'",
        "UPDATE outbox SET key = 'other'",
        "UPDATE outbox SET topic = 'other'",
        "TRUNCATE outbox",
        "SELECT nextval('outbox_id_seq')",
        "SELECT setval('outbox_id_seq', 1)",
        "UPDATE outbox_state SET version = 2",
        "DELETE FROM outbox_shard",
        "SELECT id FROM outbox_event",
    )


def test_a_reader_sees_the_overview_without_payloads(connect: Connect) -> None:
    reader = connect("outbox_reader")
    schema.verify(reader)
    overview = reader.execute("SELECT * FROM outbox_overview")
    assert overview.rowcount == 1
    assert "payload" not in {column.name for column in overview.description or ()}
    reader.execute("SELECT shard, paused_at FROM outbox_shard")
    refused(
        reader,
        "SELECT id FROM outbox",
        "SELECT id FROM outbox_event",
        "DELETE FROM outbox",
        "DELETE FROM outbox_overview",
        "UPDATE outbox_overview SET parked_at = NULL",
        "UPDATE outbox_shard SET paused_at = now()",
        INSERT,
    )


def test_an_operator_pauses_requeues_and_discards_for_a_reason(
    connect: Connect, database: Database
) -> None:
    operator = connect("outbox_operator")
    schema.verify(operator)
    with database.connect() as owner:
        owner.execute(PARK)
    operator.execute("SELECT outbox_requeue(ARRAY[1], 'fixed', 'ann')")
    with database.connect() as owner:
        row = owner.execute("SELECT parked_at, attempts, last_error FROM outbox").fetchone()
        counted = owner.execute("SELECT requeues FROM outbox_state").fetchone()
    assert row == (None, 0, None)
    assert counted == (1,)
    shard = "SELECT ARRAY[outbox_shard_of('k')]"
    operator.execute(f"SELECT outbox_pause(({shard}), 'to look', 'ann')".encode())
    operator.execute("SELECT outbox_discard(ARRAY[1], 'test data', 'ann')")
    operator.execute(f"SELECT outbox_resume(({shard}), 'looked', 'ann')".encode())
    audit = operator.execute(
        "SELECT action, reason, person, outbox_id, db_user = session_user, last_error "
        "FROM outbox_audit ORDER BY id"
    )
    assert audit.fetchall() == [
        ("requeue", "fixed", "ann", 1, True, "bad"),
        ("pause", "to look", "ann", None, True, None),
        ("discard", "test data", "ann", 1, True, None),
        ("resume", "looked", "ann", None, True, None),
    ]
    with database.connect() as owner:
        assert owner.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_an_operator_changes_nothing_without_a_reason(connect: Connect) -> None:
    operator = connect("outbox_operator")
    with pytest.raises(CheckViolation):
        operator.execute("SELECT outbox_pause(ARRAY[1::smallint], ' ')")
    refused(
        operator,
        PARK,
        "DELETE FROM outbox",
        "UPDATE outbox_shard SET paused_at = now()",
        "UPDATE outbox_audit SET reason = 'another'",
        "DELETE FROM outbox_audit",
    )


def test_an_operator_reads_no_payload_and_writes_no_row(connect: Connect) -> None:
    refused(
        connect("outbox_operator"),
        "SELECT payload FROM outbox",
        "SELECT metadata FROM outbox",
        "SELECT * FROM outbox",
        "UPDATE outbox SET payload = '{}'",
        "UPDATE outbox_shard SET isolated_until = NULL",
        "UPDATE outbox_state SET streaming = false",
        INSERT,
    )


@pytest.mark.parametrize("role", ["outbox_writer", "outbox_relay", "outbox_reader"])
def test_nobody_else_may_do_what_operators_do(connect: Connect, role: str) -> None:
    refused(
        connect(role),
        "SELECT outbox_requeue(ARRAY[1], 'reason')",
        "SELECT outbox_discard(ARRAY[1], 'reason')",
        "SELECT outbox_pause(ARRAY[1::smallint], 'reason')",
        "SELECT outbox_resume(ARRAY[1::smallint], 'reason')",
    )


def test_only_a_payload_reader_reads_payloads(connect: Connect) -> None:
    reader = connect("outbox_payload_reader")
    assert reader.execute("SELECT payload::text FROM outbox").fetchone() == ('{"a": 1}',)
    refused(reader, "SELECT key FROM outbox", "DELETE FROM outbox", PARK)


def test_a_temporary_table_does_not_stand_in_for_ours(connect: Connect, database: Database) -> None:
    operator = connect("outbox_operator")
    operator.execute("CREATE TEMPORARY TABLE outbox_shard (shard smallint, paused_at timestamptz)")
    operator.execute("SELECT outbox_pause(ARRAY[3::smallint], 'a trick')")
    with database.connect() as owner:
        paused = owner.execute("SELECT shard FROM outbox_shard WHERE paused_at IS NOT NULL")
        assert paused.fetchall() == [(3,)]
    operator.execute("DROP TABLE pg_temp.outbox_shard")


def test_the_api_reads_and_adds_events_and_touches_nothing_else(connect: Connect) -> None:
    api = connect("outbox_api")
    schema.verify(api)
    api.execute(INSERT)
    api.execute(
        "INSERT INTO outbox_event (name, severity, message) VALUES ('Event', 'info', 'it happened')"
    )
    assert api.execute("SELECT message FROM outbox_event").fetchone() == ("it happened",)
    refused(
        api,
        "SELECT id FROM outbox",
        "UPDATE outbox_event SET message = 'it did not'",
        "DELETE FROM outbox_event",
        "TRUNCATE outbox_event",
        "UPDATE outbox_state SET streaming = false",
    )


def test_a_purger_removes_events_and_reads_none(connect: Connect, database: Database) -> None:
    purger = connect("outbox_purger")
    schema.verify(purger)
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox_event (name, severity, message) VALUES ('E', 'info', 'm')"
        )
    refused(
        purger,
        "SELECT message FROM outbox_event",
        "SELECT id FROM outbox",
        "DELETE FROM outbox",
        "UPDATE outbox_event SET event_time = now()",
        "TRUNCATE outbox_event",
        "UPDATE outbox_event_limit SET pause = interval '0'",
        "TRUNCATE outbox_event_limit",
        "SELECT outbox_event_admitted('Event', gen_random_uuid(), now(), '1 hour')",
    )
    assert purger.execute("DELETE FROM outbox_event WHERE event_time < now()").rowcount == 1
    purger.execute("DELETE FROM outbox_event_limit WHERE last_at < now()")
