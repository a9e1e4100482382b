"""`relay purge-events` removes the rate limits that have no say any more, and no others."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from relay import Event, Outbox, Severity
from relay.database.session import connected
from relay.operations import retention
from relay.service.rate_limits import RateLimits
from tests.support.postgres import Database
from tests.support.process import finished
from tests.support.roles import member

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RETENTION = 5 * DAY
CLUSTER = uuid.uuid4()


class Flapping(Event, severity=Severity.WARNING, message="Flapping"):
    pass


Emit = Callable[..., int]


@pytest.fixture
def purger(database: Database) -> Iterator[Database]:
    with member(database, "outbox_purger") as user:
        yield user


@pytest.fixture
def emit(database: Database) -> Emit:
    """Emit an event of that age where there is such a limit; the count of those stored by then."""

    def store(age: timedelta, pause: timedelta, cluster: uuid.UUID = CLUSTER) -> int:
        outbox = Outbox(streaming=False, rate_limits=RateLimits({"Flapping": pause}))
        with database.connect() as connection:
            outbox.emit(connection, Flapping(cluster_id=cluster, event_time=NOW - age))
            row = connection.execute("SELECT count(*) FROM outbox_event").fetchone()
        assert row is not None
        return int(row[0])

    return store


def purge(user: Database, *arguments: str) -> dict[str, int]:
    chosen = ("--older-than", "5d", "--json", *arguments)
    done = finished("purge-events", *chosen, environment={"DATABASE_URL": user.dsn})
    assert done.code == 0, done.stderr
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


def purged(user: Database, rows: int = 1_000) -> list[int]:
    """The sizes of the batches."""
    with connected(user.dsn, "test") as connection:
        return list(retention.purge_limits(connection, NOW - RETENTION, rows))


@pytest.mark.processes
def test_the_command_counts_and_deletes_them(purger: Database, emit: Emit) -> None:
    emit(6 * DAY, HOUR)
    emit(4 * DAY, HOUR, uuid.uuid4())
    dry = purge(purger, "--dry-run")
    assert (dry["limits_found"], dry["limits_deleted"]) == (1, 0)
    done = purge(purger)
    assert (done["deleted"], done["limits_found"], done["limits_deleted"]) == (1, 1, 1)
    assert purge(purger)["limits_found"] == 0


@pytest.mark.processes
def test_a_limit_that_is_longer_than_the_retention_outlives_its_event(
    purger: Database, emit: Emit
) -> None:
    assert emit(10 * DAY, 30 * DAY) == 1
    done = purge(purger)
    assert (done["deleted"], done["limits_deleted"]) == (1, 0)
    assert emit(timedelta(0), 30 * DAY) == 0


@pytest.mark.parametrize(
    ("age", "batches"),
    [(RETENTION + HOUR, [1]), (RETENTION + HOUR - timedelta(microseconds=1), [])],
)
def test_it_goes_when_it_could_refuse_none_but_older_events(
    age: timedelta, batches: list[int], purger: Database, emit: Emit
) -> None:
    emit(age, HOUR)
    assert purged(purger) == batches


def test_a_limit_that_was_made_longer_counts_also_where_it_refused(
    purger: Database, emit: Emit
) -> None:
    emit(10 * DAY, HOUR)
    assert emit(9 * DAY, 30 * DAY) == 1
    assert purged(purger) == []
    # And one that was made shorter, as by another process, takes nothing back.
    assert emit(8 * DAY, HOUR) == 2
    assert purged(purger) == []


def test_one_that_is_asked_about_is_left_and_not_waited_for(
    purger: Database, emit: Emit, database: Database
) -> None:
    emit(10 * DAY, HOUR)
    emit(10 * DAY, HOUR, uuid.uuid4())
    with database.connect() as service:
        service.execute("SELECT FROM outbox_event_limit WHERE resource = %s FOR UPDATE", [CLUSTER])
        assert purged(purger) == [1]
    assert purged(purger) == [1]


@pytest.mark.parametrize(("rows", "batches"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_batches_are_of_the_size_that_was_asked_for(
    rows: int, batches: list[int], purger: Database, emit: Emit
) -> None:
    for _ in range(5):
        emit(10 * DAY, HOUR, uuid.uuid4())
    emit(timedelta(0), HOUR, uuid.uuid4())
    assert purged(purger, rows) == batches
