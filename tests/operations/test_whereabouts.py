"""The topic of each row, and the reason why it waits."""

import pytest

from relay.daemon.figures import Report
from relay.daemon.kafka.partitioner import partition
from relay.daemon.postgres.roster import Identity, Roster
from relay.operations.actions import Why, pause
from relay.operations.selection import Selection, find
from relay.operations.whereabouts import Whereabouts, whereabouts
from tests.support.postgres import Database

AUDIT = {"topic": "audit", "partition": None, "partitions": 0, "why": "not there",
         "next_try_at": "2030-01-02T03:04:05+00:00"}  # fmt: skip
ONE = {"topic": "events", "partition": partition("fnv1a", "b", 16), "partitions": 16,
       "partitioner": "fnv1a", "why": "no leader"}  # fmt: skip


@pytest.fixture
def rows(database: Database) -> None:
    """1 for a topic of its own, 2 and 3 for the default one, 4 parked."""
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, key, topic, payload) VALUES ('E', 'a', 'audit', '{}'), "
            "('E', 'b', NULL, '{}'), ('E', 'c', NULL, '{}'), ('E', 'd', 'audit', '{}')"
        )
        owner.execute("UPDATE outbox SET parked_at = now() WHERE id = 4")


def found(database: Database) -> list[Whereabouts]:
    with database.connect() as connection:
        rows = find(connection, Selection(), limit=9)
        return list(whereabouts(connection, rows).values())


def alive(database: Database, report: Report) -> None:
    with database.connect() as connection:
        Roster(Identity(True, "events", 60)).sign(connection, report)  # noqa: FBT003


@pytest.mark.usefixtures("rows")
def test_rows_of_what_is_on_hold_say_so(database: Database) -> None:
    alive(database, Report(holds=[AUDIT, ONE]))
    first, second, third, parked = found(database)
    assert first == Whereabouts(
        "audit", "topic on hold: not there, next try at 2030-01-02 03:04:05Z"
    )
    assert second == Whereabouts("events", f"partition {ONE['partition']} on hold: no leader")
    assert third == Whereabouts("events", None)
    assert parked == Whereabouts("audit", None)


@pytest.mark.usefixtures("rows")
def test_rows_of_a_shard_that_stands_still_say_so(database: Database) -> None:
    assert {each.reason for each in found(database)[:3]} == {"no relay is alive"}
    alive(database, Report())
    with database.connect() as stray:
        stray.execute("SELECT FROM outbox_shard FOR UPDATE")
        assert "locked by pid" in (found(database)[0].reason or "")
    with database.connect() as owner:
        pause(owner, range(64), Why("maintenance", "ann"))
    assert {(each.reason or "").partition("paused ")[2] for each in found(database)[:3]} == {
        "by ann: “maintenance”"
    }
