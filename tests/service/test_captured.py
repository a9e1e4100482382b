"""A service's own tests see what would be published, whatever becomes of the test's transaction."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import Message, Outbox
from relay.errors import SchemaError
from relay.service.rate_limits import RateLimits
from tests.support.models import Cluster, HostStatusUpdated
from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.service import Stored, url


@pytest.fixture
def rolled_back(engine: Engine) -> Iterator[Session]:
    """A session whose commits only join the transaction of the test."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()


def event() -> HostStatusUpdated:
    return HostStatusUpdated(cluster_id=uuid.uuid4(), host_name="a", old="x", new="y")


def test_the_commit_of_a_rolled_back_test_shows_all_in_order(
    rolled_back: Session, tracking: Outbox, stored: Stored
) -> None:
    cluster = Cluster(id=uuid.uuid4(), name="c", status="ready")
    with tracking.captured() as messages:
        told = tracking.emit(rolled_back, event(), key="k", headers={"traceparent": "00"})
        rolled_back.add(cluster)
        assert messages == []
        rolled_back.commit()
    snapshot, happened = messages
    assert (snapshot.name, snapshot.payload["status"]) == ("ClusterState", "ready")
    assert snapshot.key == str(cluster.id)
    assert (happened.name, happened.event_id, happened.key) == ("HostStatusUpdated", told, "k")
    assert happened.payload["message"] == "Host a: updated status from x to y"
    assert (happened.headers, happened.topic) == ({"traceparent": "00"}, None)
    assert stored.names() == []


def test_what_the_service_rolls_back_is_not_shown(rolled_back: Session, tracking: Outbox) -> None:
    with tracking.captured() as messages:
        tracking.emit(rolled_back, Message("Phantom", {}))
        rolled_back.rollback()
        savepoint = rolled_back.begin_nested()
        tracking.emit(rolled_back, Message("Phantom", {}))
        savepoint.rollback()
        tracking.emit(rolled_back, Message("Kept", {}))
        rolled_back.commit()
    assert [message.name for message in messages] == ["Kept"]


async def test_asynchronous_sessions_are_seen_too(
    service_database: Database, tracking: Outbox
) -> None:
    engine = create_async_engine(url(service_database))
    with tracking.captured() as messages:
        async with AsyncSession(engine) as session, session.begin():
            session.add(Cluster(id=uuid.uuid4(), name="c", status="ready"))
    await engine.dispose()
    assert [message.name for message in messages] == ["ClusterState"]


def test_connections_show_at_once_what_they_write(database: Database, outbox: Outbox) -> None:
    with outbox.captured() as outer, psycopg.connect(database.dsn) as connection:
        outbox.emit(connection, Message("First", {}))
        with outbox.captured() as inner:
            outbox.emit(connection, Message("Second", {}))
        outbox.emit(connection, Message("Third", {}))
    outbox.close()
    assert [message.name for message in outer] == ["First", "Second", "Third"]
    assert [message.name for message in inner] == ["Second"]


def test_it_shows_what_leaves_redacted_and_within_the_limits(database: Database) -> None:
    limits = RateLimits({"HostStatusUpdated": timedelta(hours=1)})
    outbox, told = Outbox(streaming=True, rate_limits=limits), event()
    with outbox.captured() as messages, psycopg.connect(database.dsn) as connection:
        outbox.emit(connection, told)
        outbox.emit(connection, told)
        outbox.emit(connection, Message("Secret", {"password": "hunter2-hunter2"}))
    assert [message.name for message in messages] == ["HostStatusUpdated", "Secret"]
    assert messages[1].payload == {"password": "[redacted]"}


def test_where_nothing_is_streamed_nothing_would_be_published(
    database: Database, stored: Stored
) -> None:
    outbox = Outbox(streaming=False)
    with outbox.captured() as messages, psycopg.connect(database.dsn) as connection:
        outbox.emit(connection, event())
    assert messages == []
    assert len(stored.events()) == 1


class Local(DeclarativeBase):
    pass


class Order(Local):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


def test_sqlite_shows_events_within_captured_and_refuses_them_elsewhere(outbox: Outbox) -> None:
    engine = create_engine("sqlite://")
    Local.metadata.create_all(engine)
    with outbox.captured() as messages, Session(engine) as session, session.begin():
        session.add(Order(id=1))
        outbox.emit(session, event())
    assert [message.name for message in messages] == ["HostStatusUpdated"]
    with Session(engine) as session:
        outbox.emit(session, event())
        with pytest.raises(SchemaError, match=r"of sqlite, .* needs PostgreSQL.* outbox\.captured"):
            session.commit()
    engine.dispose()


def test_sqlite_has_no_snapshots_and_says_so(make_outbox: Callable[..., Outbox]) -> None:
    outbox = make_outbox()
    outbox.track(Order)
    engine = create_engine("sqlite://")
    Local.metadata.create_all(engine)
    with outbox.captured(), Session(engine) as session:
        session.add(Order(id=1))
        with pytest.raises(SchemaError, match="snapshots of Order need PostgreSQL"):
            session.commit()
    engine.dispose()


@pytest.mark.processes
def test_the_plugin_gives_a_fixture_to_any_test(database: Database, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for name, text in zip(
        ("shop.py", "conftest.py", "test_shop.py"),
        (part.split("```")[0] for part in page.split("```python\n")[1:]),
        strict=True,
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:outbox_relay", "-p", "relay.testing",
         "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        env={"DATABASE_URL": url(database).render_as_string(hide_password=False)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert "2 passed" in ran.stdout, ran.stdout + ran.stderr
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
