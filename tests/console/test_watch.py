"""The watch: one look for all readers, none while nobody reads, and a fresh one after a change."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from relay.console import database as database_module
from relay.console import watch as module
from relay.console.database import Database
from relay.console.live import Live
from relay.console.watch import Look, Watch
from relay.database import schema
from relay.errors import DatabaseUnavailableError, SchemaError
from relay.settings import ConsoleSettings, DatabaseSettings
from tests.support import postgres
from tests.support.eventually import eventually
from tests.support.load import stretched
from tests.support.outbox import Outbox


def connected(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("DATABASE_URL", dsn)
    opened = Database(DatabaseSettings(), ConsoleSettings())
    opened.open()
    return opened


@pytest.fixture
def watch(database: postgres.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    opened = connected(database.dsn, monkeypatch)
    watching = Watch(opened, 0.05)
    watching.start()
    yield watching
    watching.stop()
    opened.close()


def test_readers_share_one_look(watch: Watch, outbox: Outbox) -> None:
    outbox.fill(rows=3, keys=3)
    look = watch.latest()
    assert look.outlook.pending == 3
    assert len(look.shards) == 64
    assert look.rights.act


def test_nobody_reads_and_nobody_looks(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.2)
    assert watch.number == 0
    watch.latest()
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    seen = eventually(lambda: (watch.number, watch.number)[0])
    # The look under way may still end.
    eventually(lambda: watch.number in {seen, seen + 1})
    watch.refresh()
    assert watch.number <= seen + 2


def test_nobody_waits_for_the_next_look_where_looks_take_long(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_PARTS", 1_000_000)
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.6)
    watch.refresh()
    first = watch.latest()
    # Longer ago than a look may be where they follow each other every few seconds.
    eventually(lambda: datetime.now(UTC) - first.at > timedelta(seconds=0.25))
    latest: list[Look] = []
    reader = threading.Thread(target=lambda: latest.append(watch.latest()))
    reader.start()
    reader.join(stretched(5))
    assert latest == [first]
    reader.join()


def test_whoever_comes_after_a_while_sees_the_last_look_at_once(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_look = threading.Event()
    verify = schema.verify

    def slowly(connection: psycopg.Connection[Any]) -> None:
        may_look.wait(60)
        verify(connection)

    monkeypatch.setattr(module, "IDLE_SECONDS", 0.3)
    watch.latest()
    monkeypatch.setattr(schema, "verify", slowly)
    eventually(lambda: watch.latest().is_old)
    old = watch.latest()
    may_look.set()
    fresh = watch.latest(waits=True)
    assert fresh.at > old.at
    assert not fresh.is_old


def test_a_change_is_seen_at_once(watch: Watch, outbox: Outbox) -> None:
    assert watch.latest().outlook.pending == 0
    outbox.emit("Event")
    watch.refresh()
    assert watch.latest().outlook.pending == 1


def test_an_outbox_that_is_missing_is_said_and_found_later(
    empty_database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = connected(empty_database.dsn, monkeypatch)
    watching = Watch(opened, 0.05)
    watching.start()
    try:
        with pytest.raises(SchemaError, match="relay migrate"):
            watching.latest()
    finally:
        watching.stop()
        opened.close()


def test_a_database_that_is_away_is_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_module, "POOL_SECONDS", 0.1)
    opened = connected("postgresql://ada:hunter2@127.0.0.1:1/none", monkeypatch)
    try:
        with (
            pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1:1/none") as caught,
            opened.connection(),
        ):
            pass
        assert "hunter2" not in str(caught.value)
    finally:
        opened.close()


def test_after_a_long_outage_whoever_asks_is_answered_soon(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database_module, "POOL_SECONDS", 0.1)
    opened = connected("postgresql://127.0.0.1:1/none", monkeypatch)
    try:
        for _ in range(2):
            # The attempts under way are given up, however long the outage, and each reader's begin
            # anew: those that are put off double their pause.
            caplog.clear()
            with pytest.raises(DatabaseUnavailableError), opened.connection():
                pass
            eventually(lambda: "reconnection attempt in pool 'console' failed" in caplog.text)
    finally:
        opened.close()


async def test_browsers_are_told_of_each_look(watch: Watch) -> None:
    live = Live(watch)
    events = aiter(live.stream().body_iterator)
    assert await anext(events) == "retry: 3000\n\n"
    # Whoever listens keeps the watch looking.
    first = str(await anext(events))
    second = str(await anext(events))
    assert first.startswith("event: look\ndata: ")
    assert int(second.rpartition(" ")[2]) > int(first.rpartition(" ")[2])
    live.end()
    assert [event async for event in events] == []
