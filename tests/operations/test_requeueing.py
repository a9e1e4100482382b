"""Requeues that are followed until rows went out or came back."""

from collections.abc import Callable

import pytest

from relay.operations.actions import Why
from relay.operations.requeueing import Followed, requeue_and_follow, requeue_one_first
from tests.support.postgres import Database

WHY = Why("the topic is there", "ann")


@pytest.fixture
def parked(database: Database) -> None:
    """Rows 1 to 3, all parked."""
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox (name, payload) SELECT 'Event', '{}' FROM generate_series(1, 3)"
        )
        owner.execute("UPDATE outbox SET parked_at = now(), last_error = 'bad'")


def relaying(database: Database, bad: int) -> Callable[[float], None]:
    """What a relay does while somebody waits: publish what is pending, and park *bad* again."""

    def sleep(_seconds: float) -> None:
        with database.connect() as relay:
            relay.execute("DELETE FROM outbox WHERE parked_at IS NULL AND id <> %s", [bad])
            relay.execute(
                "UPDATE outbox SET parked_at = now(), last_error = 'still bad' "
                "WHERE parked_at IS NULL"
            )

    return sleep


def outcome(followed: Followed) -> tuple[list[int], list[int], list[int], list[int]]:
    return (
        list(followed.ids),
        [row.id for row in followed.back],
        list(followed.waiting),
        list(followed.untried),
    )


def call(
    act: Callable[..., Followed], database: Database, *, bad: int, seconds: float = 60
) -> Followed:
    with database.connect(autocommit=True) as connection:
        return act(connection, [1, 2, 3], WHY, seconds, sleep=relaying(database, bad))


@pytest.mark.usefixtures("parked")
def test_rows_that_went_out_and_one_that_came_back(database: Database) -> None:
    followed = call(requeue_and_follow, database, bad=2)
    assert outcome(followed) == ([1, 2, 3], [2], [], [])
    assert followed.back[0].last_error == "still bad"
    assert not followed.all_gone


@pytest.mark.usefixtures("parked")
def test_rows_that_still_wait_when_time_is_up(database: Database) -> None:
    followed = call(requeue_and_follow, database, bad=0, seconds=0)
    assert outcome(followed) == ([1, 2, 3], [], [1, 2, 3], [])


@pytest.mark.usefixtures("parked")
def test_one_that_comes_back_saves_the_others_from_it(database: Database) -> None:
    assert outcome(call(requeue_one_first, database, bad=1)) == ([1], [1], [], [2, 3])
    with database.connect() as owner:
        tried = owner.execute("SELECT outbox_id FROM outbox_audit").fetchall()
    assert tried == [(1,)]


@pytest.mark.usefixtures("parked")
def test_the_others_follow_the_one_that_went_out(database: Database) -> None:
    assert outcome(call(requeue_one_first, database, bad=0)) == ([1, 2, 3], [], [], [])
