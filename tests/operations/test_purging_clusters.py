"""The events of a deleted cluster go: in the transaction that deletes it, or by hand."""

import json
import uuid
from collections.abc import Iterator

import pytest
from psycopg.errors import InsufficientPrivilege

from relay.database.session import connected
from relay.operations import retention
from tests.support.postgres import Database
from tests.support.process import Finished, finished
from tests.support.roles import member

GONE, OTHER = uuid.uuid4(), uuid.uuid4()
PURGE = "SELECT outbox_purge_cluster(%s)"


@pytest.fixture(autouse=True)
def filled(database: Database) -> Database:
    """Twelve events of the deleted cluster, one of another, one of none, and a pending row."""
    with database.connect() as owner:
        owner.execute(
            "INSERT INTO outbox_event (name, severity, message, cluster_id)"
            " SELECT 'E', 'info', 'm', c"
            "   FROM unnest(array_fill(%s::uuid, ARRAY[12]) || ARRAY[%s::uuid, NULL]) AS c",
            (GONE, OTHER),
        )
        owner.execute("INSERT INTO outbox (name, payload) VALUES ('E', '{}')")
    return database


@pytest.fixture
def purger(database: Database) -> Iterator[Database]:
    with member(database, "outbox_purger") as user:
        yield user


def left(database: Database) -> tuple[int, int, int]:
    """Count the events of the deleted cluster, the others, and the pending rows."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE cluster_id = %s),"
            " count(*) FILTER (WHERE cluster_id IS DISTINCT FROM %s),"
            " (SELECT count(*) FROM outbox) FROM outbox_event",
            (GONE, GONE),
        ).fetchone()
    assert row is not None
    return row


def run(database: Database, *arguments: str) -> Finished:
    return finished("purge-events", *arguments, environment={"DATABASE_URL": database.dsn})


@pytest.mark.processes
def test_the_command(purger: Database, database: Database) -> None:
    done = run(purger, "--cluster", str(GONE), "--dry-run")
    assert (done.code, left(database)) == (0, (12, 2, 1)), done.stderr
    assert f"12 events of cluster {GONE} match." in done.stdout
    done = run(purger, "--cluster", str(GONE), "--batch", "5")
    assert done.stdout == f"12 events of cluster {GONE} were deleted."
    assert left(database) == (0, 2, 1)
    again = json.loads(run(purger, "--cluster", str(GONE), "--json").stdout)
    assert again == {"cluster": str(GONE), "found": 0, "deleted": 0, "dry_run": False}


@pytest.mark.processes
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--cluster", str(GONE), "--older-than", "1d"],
        ["--cluster", "c"],
        ["--older-than", "0s"],
    ],
)
def test_what_says_not_what_to_delete(
    purger: Database, database: Database, arguments: list[str]
) -> None:
    assert run(purger, *arguments).code == 2
    assert left(database) == (12, 2, 1)


@pytest.mark.parametrize("rows", [1, 5, 12, 100])
def test_batches_are_of_the_size_that_was_asked_for(
    purger: Database, database: Database, rows: int
) -> None:
    with connected(purger.dsn, "test") as connection:
        sizes = list(retention.purge_cluster(connection, GONE, rows))
    assert (sum(sizes), max(sizes)) == (12, min(rows, 12))
    assert left(database) == (0, 2, 1)


def test_a_service_purges_in_the_transaction_that_deletes_the_cluster(database: Database) -> None:
    with member(database, "outbox_writer") as user, user.connect() as service:
        assert service.execute(PURGE, (GONE,)).fetchone() == (12,)
        assert left(database) == (12, 2, 1)
        service.rollback()
        assert left(database) == (12, 2, 1)
        service.execute(PURGE, (GONE,))
        service.commit()
    assert left(database) == (0, 2, 1)


@pytest.mark.parametrize("role", ["outbox_api", "outbox_reader", "outbox_operator", "outbox_relay"])
def test_nobody_else_purges(database: Database, role: str) -> None:
    with (
        member(database, role) as user,
        user.connect() as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(PURGE, (GONE,))


def test_their_rate_limits_go_too(database: Database) -> None:
    host, other = uuid.uuid4(), uuid.uuid4()
    with database.connect(autocommit=True) as owner:
        owner.execute("UPDATE outbox_event SET host_id = %s WHERE cluster_id = %s", (host, GONE))
        owner.execute(
            "INSERT INTO outbox_event_limit (name, resource, last_at, pause)"
            " SELECT n, r, now(), '1 hour' FROM unnest(ARRAY['E', 'F']) AS n,"
            "        unnest(%s::uuid[]) AS r",
            ([GONE, host, other, OTHER],),
        )
        with database.connect() as service:
            service.execute(
                "SELECT FROM outbox_event_limit WHERE resource = %s FOR UPDATE", (GONE,)
            )
            # It waits for nobody.
            owner.execute(PURGE, (GONE,))
        limits = owner.execute("SELECT name, resource FROM outbox_event_limit").fetchall()
    assert sorted(limits) == sorted([
        *[("F", each) for each in (GONE, host)],
        *[(name, each) for name in "EF" for each in (other, OTHER)],
        ("E", GONE),
    ])  # fmt: skip
