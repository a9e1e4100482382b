"""Past changes, one line each, by what they were about."""

import pytest

from relay.operations.actions import Why, discard, pause, requeue
from relay.operations.history import Past, PastChange, history
from tests.support.postgres import Database


@pytest.fixture
def changes(database: Database) -> None:
    """A requeue of two rows, a pause of all shards, a discard of one row, oldest first."""
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, key, topic, payload) VALUES ('Event', 'a', 'audit', '{}'), "
            "('Event', 'b', NULL, '{}')"
        )
        owner.execute("UPDATE outbox SET parked_at = now()")
    with database.connect() as owner:
        requeue(owner, [1, 2], Why("the topic is there", "ann"))
        owner.commit()
        pause(owner, range(64), Why("maintenance", "bob"))
        owner.commit()
        discard(owner, [2], Why("test data"))


def past(database: Database, wanted: Past, **options: int) -> list[PastChange]:
    with database.connect() as connection:
        return history(connection, wanted, **{"limit": 9, **options})


@pytest.mark.usefixtures("changes")
def test_each_change_is_told_once_the_newest_first(database: Database) -> None:
    found = past(database, Past())
    assert [(each.action, each.who, each.rows) for each in found] == [
        ("discard", database.user, 1), ("pause", "bob", 0), ("requeue", "ann", 2),
    ]  # fmt: skip
    assert found[1].shards == list(range(64))
    assert found[2].outbox_ids == [1, 2]
    assert (found[2].topics, found[2].keys) == (["audit"], ["a", "b"])
    newer, *older = found
    assert past(database, Past(), before=newer.id) == older
    assert past(database, Past(), limit=1) == [newer]


@pytest.mark.usefixtures("changes")
@pytest.mark.parametrize(
    ("wanted", "actions"),
    [
        (Past(action="pause"), ["pause"]),
        (Past(person="ann"), ["requeue"]),
        (Past(outbox_id=2), ["discard", "requeue"]),
        (Past(key="a"), ["requeue"]),
        (Past(topic="audit"), ["requeue"]),
        (Past(key="nobody's"), []),
    ],
)
def test_changes_by_what_they_were_about(
    database: Database, wanted: Past, actions: list[str]
) -> None:
    assert [each.action for each in past(database, wanted)] == actions


def test_a_long_history_is_read_a_page_at_a_time(database: Database) -> None:
    with database.connect() as owner:
        for person, rows in (("ann", 3), ("bob", 6_000), ("cyd", 2)):
            owner.execute(
                "INSERT INTO outbox_audit (person, action, reason, shard, outbox_id)"
                " SELECT %s, 'requeue', 'why', 1, g FROM generate_series(1, %s) AS g",
                [person, rows],
            )
            owner.commit()
    # The change that reaches beyond the lines of a page is counted whole, and told once.
    first = past(database, Past())
    assert [(each.who, each.rows) for each in first] == [("cyd", 2), ("bob", 6_000)]
    second = past(database, Past(), before=first[-1].id)
    assert [(each.who, each.rows) for each in second] == [("ann", 3)]
