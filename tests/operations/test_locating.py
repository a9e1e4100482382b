"""Locating a key, an event or a row: what is known of it, whatever became of it."""

from uuid import UUID, uuid4

import pytest

from relay.database.session import connected
from relay.operations.locating import Located, locate
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

EVENT = """
INSERT INTO outbox_event (event_id, name, severity, message, cluster_id)
VALUES (%s, 'Event', 'info', 'It happened', %s)
"""
ROW = "INSERT INTO outbox (event_id, key, name, payload) VALUES (%s, %s, 'Event', '{}')"


def located(database: Database, wanted: object) -> Located:
    with connected(database.dsn, "test") as connection:
        return locate(connection, str(wanted))


def row_ids(found: Located) -> list[int]:
    return [row.id for row in found.rows]


def test_nothing_is_known_of_a_stranger(database: Database) -> None:
    for wanted in ("nobody", uuid4(), 4711, "9" * 30, "", "\u202e"):
        found = located(database, wanted)
        assert not any([found.rows, found.changes, found.event, found.events, found.unknown])


def test_a_key_has_its_waiting_and_its_parked_rows(database: Database, outbox: Outbox) -> None:
    for _ in range(3):
        outbox.emit("Event", key="mine")
    outbox.emit("Event", key="other")
    outbox.connection.execute("UPDATE outbox SET parked_at = clock_timestamp() WHERE id = 2")
    found = located(database, "mine")
    assert row_ids(found) == [1, 3, 2]
    assert [row.state for row in found.rows] == ["pending", "pending", "parked"]
    assert found.places[1].reason == "no relay is alive"


def test_a_number_is_a_row_and_a_key(database: Database, outbox: Outbox) -> None:
    outbox.emit("Event", key="k")
    outbox.emit("Event", key="1")
    assert row_ids(located(database, 1)) == [2, 1]


def test_an_event_is_found_by_its_stored_event(database: Database, outbox: Outbox) -> None:
    event, cluster = uuid4(), uuid4()
    outbox.connection.execute(EVENT, [event, cluster])
    outbox.connection.execute(ROW, [event, str(cluster)])
    found = located(database, event)
    assert row_ids(found) == [1]
    assert found.event is not None
    assert found.event.cluster_id == cluster
    assert [each.event_id for each in located(database, cluster).events] == [event]


def test_an_event_without_a_key_is_in_the_shard_of_its_id(
    database: Database, outbox: Outbox
) -> None:
    event = uuid4()
    outbox.connection.execute(ROW, [event, None])
    assert row_ids(located(database, event)) == [1]


def test_an_event_that_was_not_stored_is_looked_for_everywhere(
    database: Database, outbox: Outbox
) -> None:
    event = uuid4()
    outbox.connection.execute(ROW, [event, "some key"])
    assert row_ids(located(database, event)) == [1]


def test_what_was_done_to_it_is_told(database: Database, outbox: Outbox) -> None:
    event = uuid4()
    outbox.connection.execute(ROW, [event, "mine"])
    outbox.connection.execute("UPDATE outbox SET parked_at = clock_timestamp()")
    outbox.connection.execute("SELECT outbox_discard('{1}', 'test data', 'ada')")
    for wanted in ("mine", event, 1):
        found = located(database, wanted)
        assert row_ids(found) == []
        assert [(each.action, each.who) for each in found.changes] == [("discard", "ada")]


@pytest.mark.usefixtures("outbox")
def test_what_may_not_be_seen_is_unknown(database: Database) -> None:
    with member(database, "outbox_reader") as reader:
        found = located(reader, UUID(int=7))
    assert found.unknown == ["stored events"]
