"""Every operation works on one connection of a pool, in either mode, and leaves it as it was."""

import inspect
import pkgutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from relay import Outbox, operations
from relay.formats import envelope, format_of
from relay.operations import (
    actions,
    doctor,
    history,
    locating,
    outlook,
    parked,
    pins,
    preflight,
    replay,
    requeueing,
    retention,
    rights,
    samples,
    saved_rows,
    secret_audit,
    selection,
    sessions,
    shards,
    status,
    storage,
    whereabouts,
)
from relay.operations.actions import Why
from relay.operations.doctor import database as doctor_database
from relay.operations.doctor import stream as doctor_stream
from relay.operations.doctor import xmin as doctor_xmin
from relay.operations.outlook import facts
from relay.operations.replay import Replay
from relay.operations.selection import Selection
from relay.operations.triggers import TrackedTable
from relay.service.composer import Composer
from relay.service.redaction.redactor import Redactor
from relay.settings import KafkaSettings, Settings, load
from tests.support.models import Cluster, Host
from tests.support.postgres import Database

Connection = psycopg.Connection[Any]

WHY = Why("test")
NOW = datetime.now(UTC)
ALL = Selection(name="Event")
EVERYTHING = Replay(None, NOW - timedelta(days=900), dry_run=False, seen=lambda _name, _count: None)
NOWHERE = KafkaSettings.model_construct(
    bootstrap_server="127.0.0.1:1", event_stream_topic="events-stream"
)


def streaming_off() -> Settings:
    return load()


def tracked_states(connection: Connection) -> None:
    outbox = Outbox(streaming=True)
    outbox.track(Cluster)
    outbox.track(Host)
    try:
        EVERYTHING.outbox(connection, outbox)
    finally:
        outbox.close()


def stored_events(connection: Connection) -> None:
    settings = streaming_off()
    form = format_of(settings.events.stream_preset)
    metadata = envelope.metadata(form.versions(settings.versions))
    EVERYTHING.events(connection, Composer(format=form, metadata=metadata, redactor=Redactor()))


def ended_session(connection: Connection) -> None:
    other = psycopg.connect(connection.info.dsn)
    other.execute("SELECT 1")
    found = sessions.find(connection, other.info.backend_pid)
    assert found is not None
    sessions.end(connection, found, WHY)
    other.close()


CALLS: dict[Callable[..., Any], Callable[[Connection], Any]] = {
    actions.requeue: lambda c: actions.requeue(c, [1], WHY),
    actions.discard: lambda c: actions.discard(c, [1], WHY),
    actions.redirect: lambda c: actions.redirect(c, [1], "other", WHY),
    actions.refuse_states: lambda c: actions.refuse_states(c, [], ()),
    actions.pause: lambda c: actions.pause(c, [1], WHY),
    actions.resume: lambda c: actions.resume(c, [1], WHY),
    actions.shard_of: lambda c: actions.shard_of(c, "key"),
    requeueing.requeue_and_follow: lambda c: requeueing.requeue_and_follow(c, [1], WHY, 0),
    requeueing.requeue_one_first: lambda c: requeueing.requeue_one_first(c, [1], WHY, 0),
    saved_rows.discard_saved: lambda c: saved_rows.discard_saved(
        c, [1], WHY, lambda lines: deque(lines, 0).clear()
    ),
    saved_rows.restore: lambda c: saved_rows.restore(c, [b'{"id": 1}'], WHY),
    saved_rows.saved_lines: lambda c: saved_rows.saved_lines(c, [1]),
    locating.locate: lambda c: locating.locate(c, str(UUID(int=1))),
    parked.groups: parked.groups,
    rights.of: rights.of,
    samples.read: samples.read,
    sessions.find: lambda c: sessions.find(c, 1),
    sessions.end: ended_session,
    shards.read: shards.read,
    shards.oldest_rows: lambda c: shards.oldest_rows(c, 1, 9),
    storage.inspect: storage.inspect,
    history.history: lambda c: history.history(c, history.Past(), limit=9),
    whereabouts.whereabouts: lambda c: whereabouts.whereabouts(c, selection.find(c, ALL, limit=9)),
    doctor_xmin.xmin: lambda c: doctor_xmin.xmin(c, outlook.Thresholds()),
    pins.pins: pins.pins,
    facts.gather: lambda c: facts.gather(c, outlook.Thresholds()),
    outlook.look: outlook.look,
    outlook.left_behind: outlook.left_behind,
    selection.find: lambda c: selection.find(c, ALL, limit=9),
    selection.matching: lambda c: selection.matching(c, ALL),
    selection.content: lambda c: selection.content(c, 1),
    status.inspect: status.inspect,
    retention.cutoff: lambda c: retention.cutoff(c, timedelta(days=1)),
    retention.count: lambda c: retention.count(c, NOW),
    retention.purge: lambda c: retention.purge(c, NOW),
    retention.count_cluster: lambda c: retention.count_cluster(c, UUID(int=1)),
    retention.purge_cluster: lambda c: retention.purge_cluster(c, UUID(int=1)),
    retention.count_limits: lambda c: retention.count_limits(c, NOW),
    retention.purge_limits: lambda c: retention.purge_limits(c, NOW),
    secret_audit.exposures: lambda c: secret_audit.exposures(
        c, Redactor(), since=None, limit=None, seen=lambda _count: None
    ),
    preflight.examine: lambda c: preflight.examine(c, streaming_off()),
    doctor.diagnose: lambda c: doctor.diagnose(c, streaming_off()),
    doctor_database.examine: doctor_database.examine,
    doctor_stream.examine: lambda c: doctor_stream.examine(c, NOWHERE, None),
    replay.require_streaming: replay.require_streaming,
    Replay.events: stored_events,
    Replay.tables: EVERYTHING.tables,
    Replay.outbox: tracked_states,
}


@pytest.fixture
def filled(service_database: Database) -> Database:
    """A database with a row, an event, and tables that a trigger and an outbox look at."""
    trigger = TrackedTable("clusters", "ClusterState", key=("id",), columns=("name",))
    with service_database.connect() as owner:
        owner.execute(trigger.create().encode())
    with service_database.connect() as owner:
        owner.execute(
            "INSERT INTO clusters (id, name, status) VALUES (gen_random_uuid(), 'c', 'ready')"
        )
        owner.execute("INSERT INTO outbox (name, payload) VALUES ('Event', '{}')")
        owner.execute(
            "INSERT INTO outbox_event (name, severity, message, event_time)"
            " VALUES ('Event', 'info', 'it happened', now() - interval '1 day')"
        )
    return service_database


def pool(database: Database, *, autocommit: bool) -> ConnectionPool:
    given = {"autocommit": autocommit}
    return ConnectionPool(database.dsn, kwargs=given, min_size=1, max_size=1, open=True)


@pytest.mark.parametrize("operation", CALLS, ids=lambda each: f"{each.__module__}.{each.__name__}")
def test_it_commits_and_leaves_the_connection_as_it_was(
    operation: Callable[..., Any], filled: Database
) -> None:
    for autocommit in (True, False):
        with (
            pool(filled, autocommit=autocommit) as connections,
            connections.connection() as connection,
        ):
            answer = CALLS[operation](connection)
            if isinstance(answer, Iterator):
                list(answer)
            assert connection.info.transaction_status == TransactionStatus.IDLE
            assert (connection.autocommit, connection.closed) == (autocommit, False)
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("autocommit", [True, False])
def test_what_it_changed_is_seen_by_others(filled: Database, *, autocommit: bool) -> None:
    with (
        pool(filled, autocommit=autocommit) as connections,
        connections.connection() as connection,
        filled.connect(autocommit=True) as other,
    ):
        CALLS[Replay.outbox](connection)
        CALLS[Replay.tables](connection)
        CALLS[Replay.events](connection)
        replayed = "SELECT count(*) FROM outbox WHERE replayed"
        assert other.execute(replayed).fetchone() == (3,)
        actions.pause(connection, [7], WHY)
        paused = "SELECT array_agg(shard) FROM outbox_shard WHERE paused_at IS NOT NULL"
        assert other.execute(paused).fetchone() == ([7],)
        assert sum(retention.purge(connection, NOW)) == 1
        assert other.execute("SELECT count(*) FROM outbox_event").fetchone() == (0,)


def test_every_operation_is_called_here() -> None:
    assert set(operations_over_a_connection()) == {
        call for call in CALLS if not call.__qualname__.startswith("Replay.")
    }


def operations_over_a_connection() -> Iterable[Callable[..., Any]]:
    for module in modules(operations):
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                first = next(iter(inspect.signature(function).parameters.values()), None)
                public = not function.__name__.startswith("_")
                if public and first is not None and first.name == "connection":
                    yield function


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield import_module(found.name)
