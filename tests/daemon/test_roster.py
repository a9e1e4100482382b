"""Relays that say in outbox_relay how they are, and which of them decide whether events stream."""

from typing import Any

import pytest
from psycopg.rows import dict_row

from relay.daemon.figures import Report
from relay.daemon.postgres.roster import Identity, Roster
from tests.support.eventually import eventually
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.postgres import Database
from tests.support.roles import member


def relays(database: Database) -> list[dict[str, Any]]:
    with database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM outbox_relay ORDER BY started_at").fetchall()


def streaming(database: Database) -> tuple[bool, str | None]:
    with database.connect() as connection:
        row = connection.execute("SELECT streaming, streaming_by FROM outbox_state").fetchone()
    assert row is not None
    return bool(row[0]), row[1]


def signed(database: Database, name: str, *, on: bool, alive_seconds: float = 60) -> Roster:
    roster = Roster(Identity(on, "events", alive_seconds, name=name))
    sign(database, roster)
    return roster


def sign(database: Database, roster: Roster) -> tuple[str, ...]:
    with database.connect() as connection:
        return roster.sign(connection, Report()).others


def leave(database: Database, roster: Roster) -> None:
    with database.connect() as connection:
        roster.leave(connection, Report(), drain_timed_out=False)


@pytest.mark.kafka
def test_a_relay_says_how_it_is_and_that_it_ends(
    relay: Start, database: Database, outbox: Outbox, topic: str
) -> None:
    running = relay(RELAY_SAMPLE_SECONDS="0.1")
    outbox.fill(rows=20, keys=5)
    outbox.emit("Lost", topic=f"{topic}-missing")
    (row,) = eventually(
        lambda: [row for row in relays(database) if row["published"] == 20 and row["holds"]]
    )
    assert (row["pid"], row["streaming"], row["topic"]) == (running.pid, True, topic)
    assert row["holds"][0]["topic"] == f"{topic}-missing"
    (writable,) = [each for each in row["topics"] if each["topic"] == topic]
    assert writable["published"] == 20
    assert writable["partitions"] >= 1
    assert writable["max_bytes"] > 500_000
    assert row["seen_at"] < row["alive_until"]
    assert row["ended_at"] is None
    assert running.terminate() == 0
    (row,) = relays(database)
    assert row["ended_at"] is not None
    assert (row["published"], row["drain_timed_out"]) == (20, False)


@pytest.mark.kafka
def test_one_that_is_off_overrules_none_that_is_on_and_both_warn(
    relay: Start, database: Database
) -> None:
    on = relay(RELAY_SAMPLE_SECONDS="0.1")
    on.wait_for_log("relaying to")
    off = relay(ENABLE_EVENT_STREAMING="false")
    off.wait_for_log("ENABLE_EVENT_STREAMING is off here, and on at")
    on.wait_for_log("ENABLE_EVENT_STREAMING is on here, and off at")
    assert streaming(database)[0]
    assert metric(on, "flag_differs") == metric(off, "flag_differs") == 1
    assert off.terminate() == 0
    assert {row["streaming"]: row["ended_at"] is None for row in relays(database)} == {
        True: True, False: False,
    }  # fmt: skip
    eventually(lambda: metric(on, "flag_differs") == 0)


def test_who_set_the_flag_is_kept(database: Database) -> None:
    assert streaming(database) == (True, None)
    off = signed(database, "off", on=False)
    assert streaming(database) == (False, "off")
    on = signed(database, "on", on=True)
    assert streaming(database) == (True, "on")
    assert sign(database, off) == ("on",)
    assert streaming(database) == (True, "on")
    leave(database, on)
    assert sign(database, off) == ()
    assert streaming(database) == (False, "off")


def test_one_that_crashed_was_not_switched_off(database: Database) -> None:
    signed(database, "crashed", on=True, alive_seconds=0)
    assert sign(database, Roster(Identity(False, "", 60, name="off"))) == ()  # noqa: FBT003
    assert streaming(database)[0]


def test_a_flag_that_somebody_else_took_back_is_set_again(database: Database) -> None:
    on = signed(database, "on", on=True)
    with database.connect() as older:
        older.execute("UPDATE outbox_state SET streaming = false")
    sign(database, on)
    assert streaming(database) == (True, "on")


def test_the_dead_are_forgotten_after_an_hour(database: Database) -> None:
    for name in ("crashed", "ended", "new"):
        signed(database, name, on=True)
    with database.connect() as connection:
        old = "now() - interval '61 minutes'"
        connection.execute(f"UPDATE outbox_relay SET alive_until = {old} WHERE name = 'crashed'")
        connection.execute(f"UPDATE outbox_relay SET ended_at = {old} WHERE name = 'ended'")
    signed(database, "newer", on=True)
    assert [row["name"] for row in relays(database)] == ["new", "newer"]


def test_drains_that_timed_out_are_told_by_the_next_one(database: Database) -> None:
    with database.connect() as connection:
        former = signed(database, "former", on=True)
        former.leave(connection, Report(), drain_timed_out=True)
        assert signed(database, "next", on=True).drain_timeouts(connection) == 1


@pytest.mark.parametrize("role", ["outbox_relay", "outbox_reader", "outbox_operator"])
def test_the_relays_own_role_writes_and_others_read(database: Database, role: str) -> None:
    with member(database, role) as user, user.connect() as connection:
        if role == "outbox_relay":
            Roster(Identity(True, "events", 60)).sign(connection, Report())  # noqa: FBT003
        assert connection.execute("SELECT count(*) FROM outbox_relay").fetchone() is not None
