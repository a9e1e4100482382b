"""Events as the REST API and the stream will find them."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from relay import Event, Outbox, Scope, Severity
from relay.errors import PayloadError
from tests.support.models import HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import VERSIONS, Stored


class Role(Enum):
    MASTER = "master"


class HostImageFailed(
    Event,
    severity=Severity.ERROR,
    message="Host {host_id} ({role}) failed: {reason}",
    name="host_image_failed",
    category="metrics",
    scope=Scope.HOST,
    remedy="Look at the disks, then install again.",
    details=["details"],
):
    role: Role
    reason: str
    details: dict[str, object]


def test_an_event_in_both_tables(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    cluster, host = uuid.uuid4(), uuid.uuid4()
    before = datetime.now(UTC)
    event = HostStatusUpdated(
        cluster_id=cluster, host_id=host, request_id="r1", host_name="h", old="a", new="b"
    )
    with Session(engine) as session, session.begin():
        event_id = outbox.emit(session, event)
    (row,), (message,) = stored.events(), stored.outbox()
    shared = {"cluster_id": cluster, "host_id": host, "infra_env_id": None}
    props = {"host_name": "h", "old": "a", "new": "b"}
    text = "Host h: updated status from a to b"
    assert before <= row["event_time"] <= datetime.now(UTC)
    assert row == {
        "id": row["id"],
        "event_id": event_id,
        "name": "HostStatusUpdated",
        "category": "user",
        "severity": "info",
        "message": text,
        "event_time": event.event_time,
        "request_id": "r1",
        "props": props,
        "subject_kind": None,
        "subject_id": None,
        **shared,
    }
    assert message["payload"] == {
        "message": text,
        "severity": "info",
        "event_time": event.event_time.isoformat(timespec="microseconds"),
        **{name: str(value) if value else None for name, value in shared.items()},
        **props,
    }
    assert (message["event_id"], message["key"]) == (event_id, str(cluster))
    assert message["metadata"] == {"versions": VERSIONS}


def test_the_class_says_how_it_is_called(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    host = uuid.uuid4()
    happened = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    with Session(engine) as session, session.begin():
        outbox.emit(
            session,
            HostImageFailed(
                host_id=host,
                event_time=happened,
                role=Role.MASTER,
                reason="no disk",
                details={"disks": [1, {"size": 2}]},
            ),
            key="mine",
            topic="errors",
        )
    (row,), (message,) = stored.events(), stored.outbox()
    assert (row["name"], row["category"], row["severity"]) == (
        "host_image_failed",
        "metrics",
        "error",
    )
    assert row["message"] == (
        f"Host {host} (master) failed: no disk. Look at the disks, then install again."
    )
    assert row["event_time"] == happened
    assert row["props"]["role"] == "master"
    assert message["payload"]["event_time"] == "2026-01-02T01:04:05.000000+00:00"
    assert message["payload"]["details"] == {"disks": [1, {"size": 2}]}
    assert (message["key"], message["topic"]) == ("mine", "errors")


class HostStarted(Event, severity=Severity.INFO, message="Booted", scope=Scope.HOST):
    pass


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cluster_id", "infra_env_id", "host_id"}, "cluster_id"),
        ({"infra_env_id", "host_id"}, "infra_env_id"),
        ({"host_id"}, "host_id"),
    ],
)
def test_the_key_is_the_widest_owner(
    given: set[str], expected: str, database: Database, outbox: Outbox, stored: Stored
) -> None:
    owners = {name: uuid.uuid4() for name in given}
    with psycopg.connect(database.dsn) as connection:
        outbox.emit(connection, HostStarted(**owners))
    assert [row["key"] for row in stored.outbox()] == [str(owners[expected])]


def test_an_event_that_belongs_to_nothing_is_refused(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    event = HostStatusUpdated(host_name="h", old="a", new="b")
    with Session(engine) as session:
        with pytest.raises(
            PayloadError, match=r"HostStatusUpdated belongs to nothing: .* needs cluster_id"
        ):
            outbox.emit(session, event)
        session.commit()
    assert stored.events() == []


def test_no_secret_reaches_a_table(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session, session.begin():
        outbox.emit(
            session,
            HostImageFailed(
                host_id=uuid.uuid4(),
                role=Role.MASTER,
                reason="GET https://admin:hunter2@quay.io failed",
                details={"pullSecret": "hunter2", "nested": [{"api-key": "hunter2"}]},
            ),
        )
    assert "hunter2" not in stored.shown()
    (row,) = stored.events()
    assert "GET https://[redacted]@quay.io failed" in row["message"]
    assert row["props"]["details"]["pullSecret"] == "[redacted]"


@pytest.mark.parametrize("bad", ["a\x00b", "\ud800"])
def test_what_postgresql_cannot_store_is_refused_where_it_is_emitted(
    bad: str, engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    event = HostStatusUpdated(cluster_id=uuid.uuid4(), host_name=bad, old="a", new="b")
    with Session(engine) as session:
        with pytest.raises(PayloadError, match="host_name"):
            outbox.emit(session, event)
        session.commit()
    assert stored.events() == stored.outbox() == []
