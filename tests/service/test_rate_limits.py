"""EVENT_RATE_LIMITS: decided in the database, for every process at once."""

import logging
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import RowFactory, dict_row, namedtuple_row, scalar_row
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from relay import Event, Outbox, Severity
from relay.service.rate_limits import RateLimits
from tests.support.eventually import eventually
from tests.support.postgres import Database
from tests.support.service import VERSIONS, WRITER, Stored, url

HOUR = timedelta(hours=1)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class ConnectivityLost(Event, severity=Severity.WARNING, message="Lost"):
    pass


class Unlimited(Event, severity=Severity.INFO, message="Anything"):
    pass


def limited(*, streamed: bool = False) -> Outbox:
    limits = RateLimits({"ConnectivityLost": HOUR}, streamed=streamed)
    return Outbox(streaming=True, versions=VERSIONS, rate_limits=limits)


@pytest.fixture
def outbox() -> Outbox:
    return limited()


def emit(engine: Engine, outbox: Outbox, *events: Event) -> None:
    with Session(engine) as session, session.begin():
        for event in events:
            outbox.emit(session, event)


def test_one_of_a_name_and_resource_is_stored(
    engine: Engine, outbox: Outbox, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    cluster, other, host = (uuid.uuid4() for _ in range(3))
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster))
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster))
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster), Unlimited(cluster_id=cluster))
    emit(engine, outbox, Unlimited(cluster_id=cluster), ConnectivityLost(cluster_id=other))
    emit(engine, outbox, *[ConnectivityLost(cluster_id=cluster, host_id=host) for _ in range(3)])
    found = [(row["name"], row["host_id"] or row["cluster_id"]) for row in stored.events()]
    assert found == [
        ("ConnectivityLost", cluster),
        ("Unlimited", cluster),
        ("Unlimited", cluster),
        ("ConnectivityLost", other),
        ("ConnectivityLost", host),
    ]
    assert stored.names() == [name for name, _ in found]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 4
    assert f"event ConnectivityLost of {cluster} is not stored: less than 1:00:00" in warnings[0]


def test_what_is_not_stored_may_still_be_streamed(engine: Engine, stored: Stored) -> None:
    cluster = uuid.uuid4()
    events = [ConnectivityLost(cluster_id=cluster) for _ in range(3)]
    emit(engine, limited(streamed=True), *events)
    assert len(stored.events()) == 1
    assert len(stored.outbox()) == 3


@pytest.mark.parametrize(
    ("preset", "streamed"),
    [("standard", ["ConnectivityLost"]), ("existing-consumers", ["Event", "Event", "Event"])],
)
def test_by_the_environment(
    preset: str,
    streamed: list[str],
    engine: Engine,
    stored: Stored,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "ENABLE_EVENT_STREAMING": "true",
        "KAFKA_BOOTSTRAP_SERVER": "nowhere.invalid:9092",
        "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
        "EVENT_RATE_LIMITS": '{"ConnectivityLost": "1h"}',
        "EVENT_STREAM_PRESET": preset,
    }.items():
        monkeypatch.setenv(name, value)
    cluster = uuid.uuid4()
    emit(engine, Outbox.from_environment(), *[ConnectivityLost(cluster_id=cluster)] * 3)
    assert len(stored.events()) == 1
    assert stored.names() == streamed


@pytest.mark.parametrize(
    ("offset", "count"),
    [
        (HOUR - timedelta(microseconds=1), 1),
        (HOUR, 2),
        (-HOUR + timedelta(microseconds=1), 1),
        (-HOUR, 2),
    ],
)
def test_the_events_own_time_counts(
    offset: timedelta, count: int, engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    cluster = uuid.uuid4()
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster, event_time=NOON))
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster, event_time=NOON + offset))
    assert len(stored.events()) == count


def test_an_event_from_before_does_not_open_the_way(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    cluster = uuid.uuid4()
    for moment in (NOON, NOON - 3 * HOUR, NOON + HOUR / 2):
        emit(engine, outbox, ConnectivityLost(cluster_id=cluster, event_time=moment))
    assert [row["event_time"] for row in stored.events()] == [NOON, NOON - 3 * HOUR]


@pytest.mark.parametrize("ahead", [2 * HOUR, timedelta(days=3650)])
def test_a_clock_ahead_of_time_does_not_switch_the_limit_off(
    ahead: timedelta, engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    cluster, now = uuid.uuid4(), datetime.now(UTC)
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster, event_time=now + ahead))
    for _ in range(4):
        emit(engine, outbox, ConnectivityLost(cluster_id=cluster))
        emit(engine, outbox, ConnectivityLost(cluster_id=cluster, event_time=now + ahead))
    assert len(stored.events()) == 1


def test_nor_does_one_that_a_former_release_let_in(
    engine: Engine, outbox: Outbox, stored: Stored, database: Database
) -> None:
    cluster = uuid.uuid4()
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster))
    with database.connect() as owner:
        owner.execute("UPDATE outbox_event_limit SET last_at = now() + interval '10 years'")
    for _ in range(4):
        emit(engine, outbox, ConnectivityLost(cluster_id=cluster))
    assert len(stored.events()) == 2


def test_a_clock_behind_does_not_switch_the_limit_off(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    cluster, now = uuid.uuid4(), datetime.now(UTC)
    for moment in (now, now - 2 * HOUR, now - 2 * HOUR, now, now - 2 * HOUR):
        emit(engine, outbox, ConnectivityLost(cluster_id=cluster, event_time=moment))
    assert [row["event_time"] for row in stored.events()] == [now, now - 2 * HOUR]


@pytest.mark.parametrize("factory", [dict_row, scalar_row, namedtuple_row])
def test_whatever_a_connection_makes_of_its_rows(
    factory: RowFactory[Any], database: Database, outbox: Outbox, stored: Stored
) -> None:
    cluster = uuid.uuid4()
    with psycopg.connect(database.dsn, row_factory=factory) as connection:
        for _ in range(3):
            outbox.emit(connection, ConnectivityLost(cluster_id=cluster))
    assert len(stored.events()) == 1


def test_what_was_rolled_back_does_not_count(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    cluster = uuid.uuid4()
    with Session(engine) as session:
        outbox.emit(session, ConnectivityLost(cluster_id=cluster))
        session.flush()
        session.rollback()
    with suppress(ZeroDivisionError), engine.begin() as connection:
        outbox.emit(connection, ConnectivityLost(cluster_id=cluster))
        raise ZeroDivisionError
    emit(engine, outbox, ConnectivityLost(cluster_id=cluster))
    assert len(stored.events()) == 1


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_two_transactions_at_once_do_not_both_store(
    end: str, engine: Engine, outbox: Outbox, stored: Stored, database: Database
) -> None:
    cluster = uuid.uuid4()
    with engine.connect() as first:
        outbox.emit(first, ConnectivityLost(cluster_id=cluster))
        second = threading.Thread(
            target=emit, args=(engine, outbox, ConnectivityLost(cluster_id=cluster))
        )
        second.start()
        eventually(lambda: database.waiting() == 1, what="the second waits")
        getattr(first, end)()
        second.join(60)
    assert not second.is_alive()
    # The first one's, or where that was rolled back the second one's.
    assert len(stored.events()) == 1


def test_two_transactions_that_name_resources_in_turn_never_deadlock(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    clusters = [uuid.uuid4() for _ in range(20)]
    orders = (clusters, clusters[::-1])
    threads = [
        threading.Thread(
            target=emit, args=(engine, outbox, *(ConnectivityLost(cluster_id=c) for c in order))
        )
        for order in orders * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(stored.events()) == len(stored.outbox()) == 20


async def test_every_kind_of_connection(
    service_database: Database, outbox: Outbox, stored: Stored
) -> None:
    event = ConnectivityLost(cluster_id=uuid.uuid4(), event_time=NOON)
    role = f"-c role={WRITER}"
    with psycopg.connect(service_database.dsn, options=role) as connection:
        outbox.emit(connection, event)
    with psycopg.connect(service_database.dsn, options=role) as connection:
        outbox.emit(connection, event)
    async with await psycopg.AsyncConnection.connect(service_database.dsn, options=role) as one:
        await outbox.emit_async(one, event)
    engine = create_async_engine(url(service_database))
    async with AsyncSession(engine) as session, session.begin():
        outbox.emit(session, event)
    async with engine.begin() as other:
        await outbox.emit_async(other, event)
    await engine.dispose()
    assert len(stored.events()) == len(stored.outbox()) == 1


def test_without_a_limit_nothing_more_is_asked(
    engine: Engine, outbox: Outbox, database: Database
) -> None:
    owner = create_engine(url(database))
    with owner.begin() as connection:
        connection.exec_driver_sql("DROP FUNCTION outbox_event_admitted")
    owner.dispose()
    emit(engine, outbox, Unlimited(cluster_id=uuid.uuid4()))


def test_one_from_before_is_looked_for_through_indexes(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message, event_time, subject_kind,"
            " subject_id) SELECT 'Event', 'info', '', now() - n * interval '1 second', 'order', n"
            " FROM generate_series(1, 20000) AS n"
        )
        connection.execute("ANALYZE outbox_event")
        scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'outbox_event'"
        before = connection.execute(scans).fetchone()
        admitted = "SELECT outbox_event_admitted('Event', %s, now() - %s, '1 minute', %s, %s)"
        answers = [
            connection.execute(admitted, [about, gone, *own]).fetchone()
            for about, own in ((uuid.UUID(int=1), ("", "")), (uuid.UUID(int=2), ("order", "7200")))
            for gone in (timedelta(0), HOUR, 2 * HOUR)
        ]
        assert answers == [(True,), (True,), (True,), (True,), (True,), (False,)]
        assert connection.execute(scans).fetchone() == before
