"""`relay purge-events` on events of known ages."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from relay.database.session import connected
from relay.operations import retention
from tests.support.postgres import Database
from tests.support.process import Finished, finished
from tests.support.roles import member

# One event a day, the newest half a day old; days 100 to 199 are two at the same time.
FILL = """
INSERT INTO outbox_event (name, severity, message, event_time)
SELECT 'Event', 'info', 'it happened', now() - n * interval '1 day' - interval '12 hours'
  FROM generate_series(0, 199) AS n,
       generate_series(0, (n >= 100)::integer)
"""


@pytest.fixture
def purger(database: Database) -> Iterator[Database]:
    """The database as retention's user sees it."""
    with database.connect() as owner:
        owner.execute(FILL.encode())
    with member(database, "outbox_purger") as user:
        yield user


def run(database: Database, *arguments: str) -> Finished:
    return finished("purge-events", *arguments, environment={"DATABASE_URL": database.dsn})


def left(database: Database) -> int:
    with database.connect() as connection:
        row = connection.execute("SELECT count(*) FROM outbox_event").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.processes
def test_a_dry_run_counts_and_deletes_nothing(purger: Database, database: Database) -> None:
    done = run(purger, "--older-than", "90d", "--dry-run", "--json")
    assert done.code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["found"], answer["deleted"], answer["dry_run"]) == (210, 0, True)
    assert left(database) == 300


@pytest.mark.processes
def test_what_is_older_goes_and_what_is_younger_stays(purger: Database, database: Database) -> None:
    done = run(purger, "--older-than", "89d12h", "--batch", "7")
    assert done.code == 0, done.stderr
    assert "211 events before" in done.stdout
    assert "100%" in done.stderr
    assert left(database) == 89
    with database.connect() as connection:
        oldest = connection.execute(
            "SELECT min(event_time) > now() - interval '89 days 12 hours' FROM outbox_event"
        ).fetchone()
    assert oldest == (True,)
    again = run(purger, "--older-than", "89d12h", "--json")
    assert json.loads(again.stdout)["deleted"] == 0


@pytest.mark.parametrize("rows", [1, 7, 100, 1_000])
def test_batches_are_of_the_size_that_was_asked_for(
    purger: Database, database: Database, rows: int
) -> None:
    with connected(purger.dsn, "test") as connection:
        before = retention.cutoff(connection, timedelta(days=90))
        batches = list(retention.purge(connection, before, rows))
    assert sum(batches) == 210
    assert max(batches) <= rows
    assert left(database) == 90


def test_stopped_half_way_it_has_deleted_the_oldest(purger: Database, database: Database) -> None:
    with connected(purger.dsn, "test") as connection:
        before = retention.cutoff(connection, timedelta(days=90))
        next(iter(retention.purge(connection, before, 50)))
    with database.connect() as owner:
        oldest = owner.execute(
            "SELECT count(*) FROM outbox_event WHERE event_time < now() - interval '176 days'"
        ).fetchone()
    assert left(database) == 250
    assert oldest == (0,)


@pytest.mark.processes
@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("", "1h30m"),
        ("90", "1h30m"),
        ("soon", "1h30m"),
        ("-1d", "1h30m"),
        ("0d", "every event"),
    ],
)
def test_a_duration_that_is_none_is_refused(
    purger: Database, database: Database, text: str, explained: str
) -> None:
    done = run(purger, f"--older-than={text}")
    assert done.code == 2
    assert explained in done.stderr
    assert left(database) == 300
