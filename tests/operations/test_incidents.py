"""Incidents, each made for real: the line of doctor that names it, and the command that mends it.

Where an incident is one of PostgreSQL alone, a sign of life stands for the relay that is missing.
"""

import shlex
from collections.abc import Callable

import pytest

from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Roster
from relay.operations.outlook import Thresholds
from tests.support.eventually import eventually
from tests.support.incidents import (
    assert_documented,
    codes,
    see,
    session,
    sign,
    statement,
    the,
    written,
)
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.process import RunRelay
from tests.support.roles import member


@pytest.fixture
def alive(database: Database) -> Roster:
    """A relay that lives, as far as outbox_relay tells."""
    return sign(database, Report())


@pytest.mark.usefixtures("alive")
def test_nothing_waits(database: Database) -> None:
    found = see(database)
    assert (found.answer, found.sentence) == ("yes", "Yes: nothing waits, and 1 relay is alive.")
    assert found.findings == []


@pytest.mark.usefixtures("alive")
def test_what_can_be_claimed_is_on_its_way(database: Database) -> None:
    written(database)
    found = see(database)
    assert found.answer == "yes"
    assert found.sentence.startswith("Yes: 1 row waits, the oldest that could go for ")


@pytest.mark.kafka
def test_no_relay(database: Database, relay: Start) -> None:
    written(database)
    found = see(database)
    assert found.answer == "no"
    assert "No relay has been here" in the(found, "no-relay").detail
    running = relay()
    eventually(lambda: see(database).sentence == "Yes: nothing waits, and 1 relay is alive.")
    running.terminate()
    written(database)
    last = the(see(database), "no-relay")
    assert f"(pid {running.pid}), ended" in last.detail
    assert (last.outcome, last.rows, last.command) == ("failed", 1, "relay run")


def test_a_relay_that_was_killed(database: Database) -> None:
    sign(database, Report(), name="relay-a")
    with database.connect() as connection:
        connection.execute("UPDATE outbox_relay SET alive_until = clock_timestamp()")
    written(database)
    finding = the(see(database), "no-relay")
    assert_documented(finding, database)
    detail = finding.detail
    assert detail.startswith("The last relay, relay-a (pid ")
    assert "gave its last sign of life" in detail


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("every", [True, False], ids=["all", "one"])
def test_paused_shards(database: Database, run_relay: RunRelay, *, every: bool) -> None:
    shard = written(database)
    given = {"DATABASE_URL": database.dsn, "USER": "ann"}
    chosen = ["--all"] if every else ["--shard", str(shard)]
    paused = run_relay("pause", *chosen, "--reason", "its consumer is down", environment=given)
    assert paused.wait() == 0
    found = see(database)
    assert found.answer == "no"
    finding = the(found, "shards-paused")
    assert_documented(finding, database)
    assert finding.detail.startswith("all 64 shards" if every else f"shard {shard} paused since")
    assert "by ann: “its consumer is down”; 1 row in them" in finding.detail
    assert finding.command is not None
    program, *arguments = shlex.split(finding.command)
    assert program == "relay"
    assert run_relay(*arguments, environment=given).wait() == 0
    assert see(database).answer == "yes"


@pytest.mark.usefixtures("alive")
def test_a_pause_by_plain_sql_is_not_said_to_be_somebody_elses(database: Database) -> None:
    shard = written(database)
    with database.connect() as owner:
        owner.execute("SELECT outbox_pause(ARRAY[%s::smallint], 'old', 'ann')", [shard])
        owner.execute("SELECT outbox_resume(ARRAY[%s::smallint], 'old', 'ann')", [shard])
        owner.execute("UPDATE outbox_shard SET paused_at = clock_timestamp()")
    assert "by plain SQL" in the(see(database), "shards-paused").detail


@pytest.mark.usefixtures("alive")
def test_shards_locked_by_a_session_that_is_no_relay(database: Database) -> None:
    shard = written(database)
    with session(database, "psql") as stray:
        stray.execute("SELECT FROM outbox_shard FOR UPDATE")
        found = see(database)
        assert found.answer == "no"
        finding = the(found, "shards-locked")
        assert_documented(finding, database)
        assert f"pid {stray.info.backend_pid} (psql, user {database.user}, since" in finding.detail
        assert finding.rows == 1
        with database.connect(autocommit=True) as owner:
            owner.execute(statement(finding))
        eventually(lambda: see(database).answer == "yes")
    assert shard in range(64)


@pytest.mark.usefixtures("alive")
def test_the_command_ends_no_later_transaction_of_the_same_session(database: Database) -> None:
    written(database)
    with session(database, "psql") as stray, database.connect(autocommit=True) as owner:
        stray.execute("SELECT FROM outbox_shard FOR UPDATE")
        stale = the(see(database), "shards-locked")
        stray.commit()
        stray.execute("SELECT 1")
        owner.execute(statement(stale))
        assert stray.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.usefixtures("alive")
def test_a_lease_is_no_stray_lock_until_it_lasts(database: Database) -> None:
    written(database)
    with session(database, "outbox-relay%20worker-0") as worker:
        worker.execute("SELECT FROM outbox_shard FOR UPDATE")
        assert codes(see(database)) == set()
        hanging = see(database, Thresholds(lease=0))
        assert_documented(the(hanging, "lease-hangs"), database)


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("table", ["outbox", "outbox_shard", "outbox_lease"])
def test_a_locked_table(database: Database, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.operations.outlook.facts.STATEMENT_TIMEOUT_MS", 200)
    written(database)
    with session(database, "psql") as stray:
        stray.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        found = see(database)
        assert found.answer == "no"
        finding = the(found, "table-locked")
        assert f"{table} locked against relays by pid" in finding.detail
        if table == "outbox":
            assert_documented(finding, database)
        unknown = [each for each in found.findings if each.outcome == "unknown"]
        # Nobody but relays looks at leases.
        assert bool(unknown) == (table != "outbox_lease")
        assert all("did not answer" in each.detail for each in unknown)


@pytest.mark.usefixtures("alive")
def test_an_open_writer(database: Database) -> None:
    with session(database, "service") as writer:
        writer.execute("INSERT INTO outbox (name, payload) VALUES ('Event', '{}')")
        finding = the(see(database), "open-writer")
        assert_documented(finding, database)
        assert f"pid {writer.info.backend_pid} (service, user {database.user}" in finding.detail
        with database.connect(autocommit=True) as owner:
            owner.execute(statement(finding))
        eventually(lambda: codes(see(database)) == set())


@pytest.mark.kafka
def test_a_missing_topic(
    database: Database, outbox: Outbox, relay: Start, run_relay: RunRelay,
    environment: dict[str, str], topic: str,
) -> None:  # fmt: skip
    relay(RELAY_SAMPLE_SECONDS="0.1", RELAY_BACKOFF_MAX_SECONDS="1")
    missing = f"{topic}-missing"
    outbox.fill(rows=3, keys=3, topic=missing)
    eventually(lambda: "topic-on-hold" in codes(see(database)), timeout=20)
    finding = the(see(database), "topic-on-hold")
    assert finding.subject == f"on hold: {missing}"
    assert finding.rows == 3
    assert finding.command is not None
    assert missing in finding.command
    created = run_relay("create-topic", "--topic", missing, environment=environment)
    assert created.wait(60) == 0, created.output
    outbox.await_empty()
    eventually(lambda: see(database).answer == "yes")


def test_rows_that_were_below_a_watermark(database: Database) -> None:
    sign(database, Report(missed=4))
    assert_documented(the(see(database), "below-watermark"), database)


def test_a_drain_that_timed_out(database: Database, alive: Roster) -> None:
    with database.connect() as connection:
        alive.leave(connection, Report(), drain_timed_out=True)
    assert_documented(the(see(database), "drain-timed-out"), database)


@pytest.mark.usefixtures("alive")
def test_relays_that_are_told_otherwise(database: Database) -> None:
    sign(database, Report(), on=False, name="relay-off")
    assert_documented(the(see(database), "flag"), database)
    with database.connect() as older:
        older.execute("UPDATE outbox_state SET streaming = false")
    found = see(database)
    assert found.answer == "no"
    assert_documented(the(found, "flag"), database)


def test_more_is_written_than_relayed(database: Database, alive: Roster) -> None:
    with database.connect() as connection:
        alive.sign(connection, Report(published=900))
    written(database, age_seconds=300)
    assert_documented(the(see(database), "lag"), database)


@pytest.mark.usefixtures("alive")
def test_what_nobody_can_explain_is_said_to_be_so(database: Database) -> None:
    written(database, age_seconds=120)
    found = see(database)
    assert found.answer == "no"
    assert_documented(the(found, "unexplained"), database)


@pytest.mark.usefixtures("alive")
def test_what_a_user_may_not_see_is_unknown(database: Database) -> None:
    written(database)
    with database.connect() as owner:
        owner.execute("REVOKE SELECT ON outbox_relay FROM outbox_reader")
    with member(database, "outbox_reader") as reader:
        found = see(reader)
    assert found.answer == "unknown"
    assert "permission denied for table outbox_relay" in found.sentence


@pytest.mark.usefixtures("alive")
def test_no_payload_is_told(database: Database) -> None:
    written(database, age_seconds=120)
    with database.connect() as owner:
        owner.execute("UPDATE outbox SET parked_at = now(), last_error = 'refused'")
    found = see(database)
    assert "swordfish" not in repr(found)


@pytest.mark.kafka
def test_strict_fails_where_rows_do_not_move(
    database: Database, run_relay: RunRelay, environment: dict[str, str],
    relay: Callable[..., object],
) -> None:  # fmt: skip
    written(database)
    process = run_relay("doctor", "--strict", environment=environment)
    assert process.wait(60) == 1
    first = process.stdout[0]
    assert first.startswith("failed  everything that waits is on its way: No: 1 row waits")
    assert "        $ relay run" in process.stdout
    relay()
    eventually(lambda: see(database).answer == "yes")
    process = run_relay("doctor", environment=environment)
    assert process.wait(60) == 0, process.output
    assert process.stdout[0].endswith("Yes: nothing waits, and 1 relay is alive.")
