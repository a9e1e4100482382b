"""The findings of `relay doctor`, and the advice that each gives."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psycopg
import pytest

from relay.database.session import bounded, connected
from relay.operations.doctor import database as doctor
from relay.operations.doctor import stream, xmin
from relay.operations.findings import Finding
from relay.operations.outlook import Thresholds
from relay.operations.pins import Pin
from relay.operations.queries import doctor as queries
from relay.operations.queries.doctor import ADVANCE
from relay.settings import KafkaSettings
from tests.support.kafka.selection import SessionKafka
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest, RunRelay
from tests.support.roles import member


def examined(database: Database, limits: Thresholds | None = None) -> dict[str, Finding]:
    with connected(database.dsn, "test") as connection:
        return {finding.subject: finding for finding in doctor.examine(connection, limits)}


def advance(to: int) -> str:
    return ADVANCE.format(sequence="public.outbox_id_seq", to=to)


def execute(database: Database, statement: str) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute(statement.encode())


def test_a_healthy_database_seen_by_the_relays_own_user(database: Database) -> None:
    with member(database, "outbox_relay", "pg_read_all_stats") as relay:
        found = examined(relay)
    assert {subject: finding.outcome for subject, finding in found.items()} == dict.fromkeys(
        [
            "rights",
            "table",
            "policies",
            "statistics",
            "plan",
            "vacuum",
            "disk",
            "xmin",
            "clock",
            "sequence",
        ],
        "ok",
    )


def test_missing_rights_are_named(database: Database) -> None:
    with member(database, "outbox_reader") as reader:
        found = examined(reader)
    assert found["rights"].outcome == "failed"
    assert "DELETE on outbox" in found["rights"].detail
    assert "GRANT outbox_relay" in found["rights"].detail
    assert found["statistics"].outcome == "warning"
    assert found["plan"].outcome == "unknown"


def test_a_claim_that_cannot_use_its_index(database: Database) -> None:
    execute(database, "DROP INDEX outbox_pending")
    found = examined(database)["plan"]
    assert found.outcome == "failed"
    assert "relay migrate --again" in found.detail


def test_autovacuum_that_is_off_or_has_lost_its_settings(database: Database) -> None:
    execute(database, "ALTER TABLE outbox SET (autovacuum_enabled = off)")
    found = examined(database)["vacuum"]
    assert found.outcome == "failed"
    assert "autovacuum is off" in found.detail
    execute(database, "ALTER TABLE outbox RESET (autovacuum_enabled)")
    execute(database, "ALTER TABLE outbox RESET (autovacuum_vacuum_scale_factor)")
    found = examined(database)["vacuum"]
    assert found.outcome == "warning"
    assert "relay migrate --again" in found.detail


def test_what_holds_vacuum_back_is_named(database: Database) -> None:
    soon = Thresholds(xmin=0)
    with database.connect() as forgotten:
        forgotten.execute("SET application_name = 'report'; SELECT pg_current_xact_id()")
        found = examined(database, soon)["xmin"]
        assert (found.outcome, found.code) == ("warning", "xmin-held")
        pid = forgotten.info.backend_pid
        assert f"pid {pid} (report, user {database.user}, since " in found.detail
        assert ", query of 20" in found.detail
        assert "pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = " in str(found.command)
        assert "AND xact_start = '" in str(found.command)


def test_other_pins_of_vacuum_are_shown_before_they_are_ended() -> None:
    prepared = Pin("prepared", "tx-1", None, "app", None, None, 9.0, 5)
    slot = Pin("slot", "old", None, "", None, None, None, 7)
    standby = Pin("standby", "replica", 12, "repl", None, None, None, 3)
    session = Pin("session", "", 4711, "app", None, None, 9.0, 3)
    named = xmin.named
    assert named(prepared) == "the prepared transaction tx-1 of app, 5 transactions ago"
    assert named(slot) == "the replication slot old, used by nobody, 7 transactions ago"
    assert named(standby) == "the standby replica (pid 12), 3 transactions ago"
    assert xmin.command([slot]) == 'psql "$DATABASE_URL" -c "TABLE pg_replication_slots"'
    assert xmin.command([prepared]) == 'psql "$DATABASE_URL" -c "TABLE pg_prepared_xacts"'
    assert xmin.command([standby]) == 'psql "$DATABASE_URL" -c "TABLE pg_stat_replication"'
    # Whose start is hidden is not ended by a pid that may be another's by then.
    assert "pg_terminate_backend" not in xmin.command([session])


def test_hidden_transactions_are_unknown_and_not_none(database: Database) -> None:
    with member(database, "outbox_relay") as relay:
        found = examined(relay)["xmin"]
    assert found.outcome == "unknown"
    assert "hidden from" in found.detail


def test_a_check_that_fails_reads_unknown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "CLOCK", "SELECT 1 / 0")
    found = examined(database)
    assert (found["clock"].outcome, found["clock"].detail) == (
        "unknown", "not checked: division by zero"
    )  # fmt: skip
    assert found["sequence"].outcome == "ok"


def test_policies_that_bind_a_user_who_may_relay(database: Database) -> None:
    with member(database, "outbox_relay") as relay:
        execute(database, "ALTER TABLE outbox ENABLE ROW LEVEL SECURITY")
        for seen_by in (database, relay):
            found = examined(seen_by)["policies"]
            assert found.outcome == "failed"
            assert relay.user in found.detail
            assert f"ALTER ROLE {relay.user} BYPASSRLS" in (found.command or "")
        execute(database, f"ALTER ROLE {relay.user} BYPASSRLS")
        assert relay.user not in examined(database)["policies"].detail


def test_a_count_without_the_rows_that_policies_hide_is_an_error(database: Database) -> None:
    execute(database, "ALTER TABLE outbox ENABLE ROW LEVEL SECURITY")
    with (
        member(database, "outbox_relay") as user,
        connected(user.dsn, "test") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        bounded(connection),
    ):
        connection.execute("SELECT count(*) FROM outbox")


def test_a_sequence_that_is_missing(database: Database, outbox: Outbox) -> None:
    outbox.fill(rows=20, keys=2)
    execute(database, "ALTER TABLE outbox ALTER id DROP IDENTITY")
    found = examined(database)["sequence"]
    assert (found.outcome, found.code) == ("failed", "sequence-missing")
    execute(database, found.detail.partition("As the owner: ")[2])
    assert examined(database)["sequence"].outcome == "ok"
    outbox.emit("Event")


@pytest.mark.parametrize("change", ["INCREMENT BY -1 MINVALUE -100", "CYCLE"])
def test_a_sequence_that_does_not_only_rise(database: Database, change: str) -> None:
    execute(database, f"ALTER SEQUENCE outbox_id_seq {change}")
    found = examined(database)["sequence"]
    assert (found.outcome, found.code) == ("failed", "sequence-falls")
    execute(database, found.detail.partition("As the owner: ")[2])
    assert examined(database)["sequence"].outcome == "ok"


def test_a_clock_that_is_wrong(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = SimpleNamespace(time=lambda: time.time() + 90)
    monkeypatch.setattr("relay.operations.doctor.database.time", fast)
    found = examined(database)["clock"]
    assert found.outcome == "warning"
    assert "90.0 s" in found.detail


def test_a_sequence_that_is_behind_and_how_to_move_it_on(
    database: Database, outbox: Outbox
) -> None:
    outbox.fill(rows=20, keys=2)
    execute(database, "SELECT setval('outbox_id_seq', 5)")
    found = examined(database)["sequence"]
    assert found.outcome == "failed"
    with pytest.raises(psycopg.errors.UniqueViolation):
        outbox.emit("Event")
    execute(database, found.detail.partition("as the owner: ")[2])
    assert examined(database)["sequence"].outcome == "ok"
    outbox.emit("Event")


def test_the_advice_is_safe_when_it_is_stale_and_beside_writers(database: Database) -> None:
    stop = threading.Event()

    def write() -> list[int]:
        drawn = []
        with database.connect(autocommit=True) as writer:
            while not stop.is_set():
                row = writer.execute(
                    "INSERT INTO outbox (name, payload) VALUES ('Event', '{}') RETURNING id"
                ).fetchone()
                assert row is not None
                drawn.append(int(row[0]))
        return drawn

    # A restored backup, of which ever older findings are obeyed while others write.
    with ThreadPoolExecutor(3) as writers, database.connect(autocommit=True) as owner:
        written = [writers.submit(write) for _ in range(3)]
        try:
            for turn in range(300):
                last = owner.execute("SELECT last_value FROM outbox_id_seq").fetchone()
                assert last is not None
                ahead = (turn % 3 - 1) * 5
                owner.execute(advance(last[0] + ahead).encode())
        finally:
            stop.set()
        ids = [future.result() for future in written]
    assert all(own == sorted(own) and len(own) > 20 for own in ids), "an id went back"
    assert len({each for own in ids for each in own}) == sum(map(len, ids))


def test_the_advice_reaches_the_number_and_repeated_goes_no_further(database: Database) -> None:
    for _ in range(4):
        execute(database, advance(1000))
    with database.connect() as owner:
        assert owner.execute("SELECT nextval('outbox_id_seq')").fetchone() == (1002,)


@pytest.mark.kafka
def test_rows_published_while_it_looks_are_no_restored_backup(
    kafka: SessionKafka, topic: str, database: Database, outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def published_meanwhile(*_: object) -> list[int]:
        outbox.fill(rows=5, keys=1)
        return [id_ for (id_,) in outbox.connection.execute("SELECT id FROM outbox")]

    monkeypatch.setattr(stream, "_last_seqs", published_meanwhile)
    given = KafkaSettings(bootstrap_server=kafka.bootstrap, event_stream_topic=topic)
    with connected(database.dsn, "test") as connection:
        found = {each.subject: each for each in stream.examine(connection, given, None)}
    assert found[f"seq on {topic}"].outcome == "ok"


@pytest.mark.kafka
def test_the_command_looks_at_database_and_topics(
    run_relay: RunRelay,
    environment: dict[str, str],
    outbox: Outbox,
    topic: str,
    make_topic: Callable[..., str],
) -> None:
    small = make_topic(config={"max.message.bytes": "2000"})
    outbox.emit("Large", payload=json.dumps({"text": "x" * 5000}), topic=small)
    outbox.emit("Lost", topic="no-such-topic")
    process = run_relay("doctor", "--json", environment=environment)
    assert process.wait(60) == 1, "no relay runs"
    found = {f["subject"]: f for f in json.loads("\n".join(process.stdout))["findings"]}
    assert found["plan"]["outcome"] == "ok"
    assert found[f"rights on {topic}"]["outcome"] == "ok"
    assert found[f"size limit of {topic}"]["outcome"] == "ok"
    assert found[f"size limit of {small}"]["outcome"] == "warning"
    assert "2,000 bytes" in found[f"size limit of {small}"]["detail"]
    assert found["topic no-such-topic"]["outcome"] == "warning"
    assert "create it" in found["topic no-such-topic"]["detail"]
    assert any("no-such-topic" in line for line in process.stderr)


@pytest.mark.kafka
def test_an_outbox_that_was_restored_is_behind_its_topic(
    run_relay: RunRelay, relay: Callable[[], ProcessUnderTest], environment: dict[str, str],
    outbox: Outbox, database: Database,
) -> None:  # fmt: skip
    running = relay()
    outbox.fill(rows=20, keys=2)
    outbox.await_empty()
    running.terminate()
    execute(database, "SELECT setval('outbox_id_seq', 5)")
    process = run_relay("doctor", environment=environment)
    assert process.wait(60) == 1
    assert "the topic has seq 20, and outbox_id_seq is at 5" in "\n".join(process.stderr)


@pytest.mark.kafka
def test_a_missing_default_topic_is_told_of_once(
    run_relay: RunRelay, environment: dict[str, str]
) -> None:
    given = environment | {"KAFKA_EVENT_STREAM_TOPIC": "no-such-topic"}
    process = run_relay("doctor", "--json", environment=given)
    assert process.wait(60) == 0
    assert len([line for line in process.stderr if "no-such-topic" in line]) == 1
    assert "seq on" not in "\n".join(process.stdout)


def test_somebody_without_a_relays_rights_is_told_all_the_same(
    run_relay: RunRelay, environment: dict[str, str], database: Database
) -> None:
    with member(database, "outbox_operator") as operator:
        given = environment | {"DATABASE_URL": operator.dsn}
        process = run_relay("doctor", "--json", environment=given)
        assert process.wait(60) == 2
    found = {f["subject"]: f for f in json.loads("\n".join(process.stdout))["findings"]}
    assert found["rights"]["outcome"] == "failed"
    assert found["seq"]["outcome"] == "unknown"


def test_without_the_tables_it_stops_there(run_relay: RunRelay, empty_database: Database) -> None:
    process = run_relay("doctor", environment={"DATABASE_URL": empty_database.dsn})
    assert process.wait(60) == 2
    assert "run `relay migrate`" in "\n".join(process.stderr)
