"""Stored events and current states go out again, marked as a replay."""

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from relay import Event, Outbox, Severity
from relay.operations.triggers import TrackedTable
from tests.support.eventually import eventually
from tests.support.models import Cluster, Host, HostStatusUpdated
from tests.support.postgres import Database
from tests.support.process import RunRelay
from tests.support.service import Stored

TRACKS = """
from relay import Outbox
from tests.support.models import Cluster, Host
outbox = Outbox(streaming=True)
outbox.track(Cluster)
outbox.track(Host)
"""


@pytest.fixture
def clusters(engine: Engine, tracking: Outbox, service_database: Database) -> list[uuid.UUID]:
    """Two clusters, each with three hosts and two events; what was streamed of them is gone."""
    made = [uuid.uuid4(), uuid.uuid4()]
    for cluster in made:
        with Session(engine) as session, session.begin():
            session.add(Cluster(id=cluster, name="c", pull_secret="hunter2"))
            session.flush()
            session.add_all([Host(cluster_id=cluster) for _ in range(3)])
            for new in ("known", "installing"):
                tracking.emit(session, event(cluster, new))
    with service_database.connect() as owner:
        owner.execute("CREATE TABLE first_time AS SELECT * FROM outbox")
        owner.execute("DELETE FROM outbox")
    return made


def event(cluster: uuid.UUID, new: str) -> HostStatusUpdated:
    zone = timezone(timedelta(hours=3))
    return HostStatusUpdated(
        cluster_id=cluster, host_name="h", old="a", new=new, event_time=datetime.now(zone)
    )


def replayed(run: RunRelay, database: Database, *arguments: str) -> dict[str, Any]:
    process = run("replay", *arguments, "--json", environment={"DATABASE_URL": database.dsn})
    assert process.wait(60) == 0, process.stderr
    shown: dict[str, Any] = json.loads(process.stdout[-1])
    return shown


def test_an_event_is_what_it_was_the_first_time(
    run_relay: RunRelay,
    service_database: Database,
    clusters: list[uuid.UUID],
    stored: Stored,
) -> None:
    arguments = ("--cluster", str(clusters[0]), "--events")
    would = replayed(run_relay, service_database, *arguments, "--dry-run")
    assert would == {"dry_run": True, "replayed": {"HostStatusUpdated": 2}, "total": 2}
    assert stored.outbox() == []
    replayed(run_relay, service_database, *arguments)
    with service_database.connect() as owner:
        before = owner.execute(
            "SELECT event_id, key, name, payload FROM first_time"
            " WHERE key = %s AND name = 'HostStatusUpdated' ORDER BY id",
            (str(clusters[0]),),
        ).fetchall()
    again = [(r["event_id"], r["key"], r["name"], r["payload"]) for r in stored.outbox()]
    assert again == before
    assert [row["replayed"] for row in stored.outbox()] == [True] * 2


class ParcelLost(Event, severity=Severity.WARNING, message="Lost", scope="parcel"):
    parcel_id: int


def test_the_events_of_a_subject_alone(
    run_relay: RunRelay, service_database: Database, engine: Engine, stored: Stored
) -> None:
    outbox = Outbox(streaming=False)
    with Session(engine) as session, session.begin():
        for number in (42, 42, 43):
            outbox.emit(session, ParcelLost(parcel_id=number))
    wanted = ("--subject", "parcel:42", "--events")
    assert replayed(run_relay, service_database, *wanted)["replayed"] == {"ParcelLost": 2}
    assert [(row["key"], row["replayed"]) for row in stored.outbox()] == [("42", True)] * 2


def test_since(run_relay: RunRelay, service_database: Database, clusters: list[uuid.UUID]) -> None:
    assert len(clusters) == 2
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert replayed(run_relay, service_database, "--since", tomorrow)["total"] == 0
    assert replayed(run_relay, service_database, "--since", "2026-01-01")["total"] == 4


def test_states_of_tables_with_a_trigger(
    run_relay: RunRelay,
    service_database: Database,
    clusters: list[uuid.UUID],
    stored: Stored,
) -> None:
    for table in (
        TrackedTable("clusters", "ClusterState", key=("id",), columns=("name",)),
        TrackedTable("hosts", "Host", key=("cluster_id", "id"), columns=("status",)),
    ):
        with service_database.connect(autocommit=True) as owner:
            owner.execute(table.create().encode())
    shown = replayed(run_relay, service_database, "--cluster", str(clusters[0]))
    assert shown["replayed"] == {"ClusterState": 1, "Host": 3, "HostStatusUpdated": 2}
    assert stored.names() == ["ClusterState", *["Host"] * 3, *["HostStatusUpdated"] * 2]
    assert {row["key"] for row in stored.outbox()} == {str(clusters[0])}
    assert all(row["replayed"] for row in stored.outbox())
    many = replayed(run_relay, service_database, "--since", "2026-01-01", "--snapshots")
    assert many["replayed"] == {"ClusterState": 2, "Host": 6}


@pytest.mark.usefixtures("clusters")
def test_that_states_go_out_whatever_since_says_is_told(
    run_relay: RunRelay, service_database: Database
) -> None:
    table = TrackedTable("clusters", "ClusterState", key=("id",), columns=("name",))
    with service_database.connect(autocommit=True) as owner:
        owner.execute(table.create().encode())
    given = {"DATABASE_URL": service_database.dsn}
    replay = ("replay", "--since", "2099-01-01", "--dry-run")
    told = "--since selected among the events alone: states have no time."
    for chosen, lines in (
        (
            (),
            [
                "         2  ClusterState",
                "2 messages match; nothing was written. Repeat without --dry-run.",
                told,
            ],
        ),
        (("--events",), ["0 messages match; nothing was written. Repeat without --dry-run."]),
    ):
        process = run_relay(*replay, *chosen, environment=given)
        assert process.wait(60) == 0, process.output
        assert process.stdout == lines


def test_states_of_the_classes_that_an_outbox_tracks(
    run_relay: RunRelay,
    service_database: Database,
    clusters: list[uuid.UUID],
    stored: Stored,
    tmp_path: Path,
) -> None:
    (tmp_path / "service_of_the_test.py").write_text(TRACKS)
    given = {"DATABASE_URL": service_database.dsn, "PYTHONPATH": f"{tmp_path}:."}
    arguments = ("--snapshots", "--cluster", str(clusters[1]))
    source = ("--outbox", "service_of_the_test:outbox")
    process = run_relay("replay", *arguments, *source, environment=given)
    assert process.wait(60) == 0, process.stderr
    assert process.stdout[-1] == "4 messages were put on the stream again."
    assert stored.names() == ["ClusterState", *["Host"] * 3]
    assert {row["key"] for row in stored.outbox()} == {str(clusters[1])}
    assert all(row["replayed"] for row in stored.outbox())
    assert "hunter2" not in stored.shown()
    wrong = run_relay("replay", *arguments, "--outbox", "service_of_the_test:x", environment=given)
    assert wrong.wait(60) == 2


def test_a_state_is_replayed_under_the_lock_of_its_row(
    engine: Engine,
    tracking: Outbox,
    clusters: list[uuid.UUID],
    service_database: Database,
    stored: Stored,
) -> None:
    def again() -> None:
        with Session(engine) as session, session.begin():
            tracking.replay(session, Cluster, clusters[0], uuid.uuid4())

    with service_database.connect() as writer:
        writer.execute("UPDATE clusters SET name = 'newer' WHERE id = %s", (clusters[0],))
        replaying = threading.Thread(target=again)
        replaying.start()
        eventually(service_database.waiting, what="the replay waits for the writer")
        writer.commit()
    replaying.join()
    (row,) = stored.outbox()
    assert (row["payload"]["name"], row["replayed"]) == ("newer", True)


def test_a_change_in_the_same_transaction_is_no_replay(
    engine: Engine, tracking: Outbox, clusters: list[uuid.UUID], stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        tracking.replay(session, Cluster, clusters[0])
        session.get_one(Cluster, clusters[0]).name = "changed"
    (row,) = stored.outbox()
    assert (row["payload"]["name"], row["replayed"]) == ("changed", False)


def test_what_cannot_be_replayed_is_said(run_relay: RunRelay, database: Database) -> None:
    given = {"DATABASE_URL": database.dsn}
    nothing = run_relay("replay", environment=given)
    assert nothing.wait(60) == 2
    with database.connect() as owner:
        owner.execute("UPDATE outbox_state SET streaming = false")
    off = run_relay("replay", "--since", "2026-01-01", environment=given)
    assert off.wait(60) == 2
    assert "switched off" in "\n".join(off.stderr)


def test_a_replay_gives_way_to_writers(
    run_relay: RunRelay, service_database: Database, clusters: list[uuid.UUID]
) -> None:
    table = TrackedTable("clusters", "ClusterState", key=("id",), columns=("name",))
    with service_database.connect(autocommit=True) as owner:
        owner.execute(table.create().encode())
    with service_database.connect() as writer:
        writer.execute("SELECT FROM clusters WHERE id = %s FOR UPDATE", (clusters[0],))
        process = run_relay(
            "replay", "--since", "2026-01-01", "--snapshots",
            environment={"DATABASE_URL": service_database.dsn},
        )  # fmt: skip
        eventually(service_database.waiting, what="the replay waits for the writer")
        eventually(lambda: not service_database.waiting(), what="the replay takes its hands off")
        assert process.is_running
        writer.rollback()
    assert process.wait(60) == 0
