"""Snapshots follow the transaction: its savepoints, its end, and the others beside it."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, event, select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.errors import UntrackedWriteError
from tests.support.models import Cluster, Host, HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import WRITER, Stored, url


@pytest.mark.usefixtures("tracking")
def test_the_row_is_read_back_and_not_the_object(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as stale, Session(engine) as other:
        mine = stale.get_one(Host, host)
        assert mine.stage is None
        other.get_one(Host, host).stage = "writing image"
        other.commit()
        mine.status = "installing"
        stale.commit()
    *_, last = stored.payloads("Host")
    assert (last["status"], last["stage"]) == ("installing", "writing image")


def test_snapshots_come_before_the_events_of_their_key(
    engine: Engine, tracking: Outbox, host: uuid.UUID, cluster: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        tracking.emit(
            session,
            HostStatusUpdated(cluster_id=cluster, host_name="h", old="a", new="installing"),
        )
        session.get_one(Host, host).status = "installing"
        session.get_one(Cluster, cluster).status = "installing"
    assert stored.names() == ["Host", "ClusterState", "HostStatusUpdated"]


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize("of_connection", [False, True])
def test_a_change_in_a_savepoint_that_rolled_back_yields_none(
    of_connection: bool,  # noqa: FBT001 - pytest gives it by name
    engine: Engine,
    host: uuid.UUID,
    stored: Stored,
) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        below = session.connection()
        savepoint = below.begin_nested() if of_connection else session.begin_nested()
        found.status = "phantom"
        session.flush()
        savepoint.rollback()
    assert stored.outbox() == []


@pytest.mark.usefixtures("tracking")
def test_a_deletion_that_rolled_back_leaves_the_update_before_it(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        found.status = "installing"
        with session.begin_nested() as savepoint:
            session.delete(found)
            session.flush()
            savepoint.rollback()
    (snapshot,) = stored.payloads("Host")
    assert (snapshot["status"], snapshot.get("deleted")) == ("installing", None)


@pytest.mark.usefixtures("tracking")
def test_a_rolled_back_transaction_yields_none(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session:
        session.get_one(Host, host).status = "phantom"
        session.flush()
        session.rollback()
        session.commit()
    assert stored.outbox() == []


@pytest.mark.usefixtures("tracking")
def test_a_change_made_while_the_session_commits_is_shown(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session:
        found = session.get_one(Host, host)

        @event.listens_for(session, "before_commit")
        def late(_session: Session) -> None:
            found.status = "late"

        session.commit()
    assert [snapshot["status"] for snapshot in stored.payloads("Host")] == ["late"]


@pytest.mark.usefixtures("tracking")
def test_many_objects_need_two_more_statements(engine: Engine, stored: Stored) -> None:
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    with Session(engine) as session, session.begin():
        session.add_all(Cluster(name=f"c{number}") for number in range(50))
        session.flush()
        statements.clear()
    assert statements == ["SELECT", "INSERT"]
    assert [row["payload"]["name"] for row in stored.outbox()] == [f"c{n}" for n in range(50)]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.usefixtures("tracking")
async def test_asynchronous_sessions(
    driver: str, service_database: Database, host: uuid.UUID, stored: Stored
) -> None:
    role = (
        {"server_settings": {"role": WRITER}}
        if driver == "asyncpg"
        else {"options": f"-c role={WRITER}"}
    )
    engine = create_async_engine(url(service_database, driver), connect_args=role)
    async with AsyncSession(engine) as session:
        found = await session.get_one(Host, host)
        found.status = "installing"
        await session.commit()
        async with session.begin_nested() as savepoint:
            found = await session.get_one(Host, host)
            found.status = "phantom"
            await session.flush()
            await savepoint.rollback()
        await session.commit()
        await session.delete(await session.get_one(Host, host))
        await session.commit()
        with pytest.raises(UntrackedWriteError):
            await session.execute(update(Host).values(status="x"))
    await engine.dispose()
    shown = [(row["status"], row.get("deleted")) for row in stored.payloads("Host")]
    assert shown == [("installing", None), ("installing", True)]


def test_while_streaming_is_off_nothing_is_read_or_written(
    engine: Engine, make_outbox: Callable[..., Outbox], host: uuid.UUID, stored: Stored
) -> None:
    outbox = make_outbox(streaming=False)
    outbox.track(Host)
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    with Session(engine) as session, session.begin():
        session.get_one(Host, host).status = "installing"
        outbox.snapshot(session, Host, host)
    assert statements == ["SELECT", "UPDATE"]
    assert stored.outbox() == []


def test_a_failing_snapshot_undoes_the_change(
    engine: Engine, outbox: Outbox, host: uuid.UUID, stored: Stored
) -> None:
    def broken(_row: object) -> str:
        raise LookupError

    outbox.track(Host, key=broken)
    with Session(engine) as session:
        session.get_one(Host, host).status = "installing"
        with pytest.raises(LookupError):
            session.commit()
        session.rollback()
        assert session.scalars(select(Host.status)).one() == "discovering"
    assert stored.outbox() == []


@pytest.fixture
def racing(engine: Engine) -> Iterator[tuple[Session, Session]]:
    with Session(engine) as first, Session(engine) as second:
        yield first, second


def test_two_sessions_that_change_different_columns_of_one_object(
    racing: tuple[Session, Session], tracking: Outbox, host: uuid.UUID, stored: Stored
) -> None:
    first, second = racing
    mine, theirs = first.get_one(Host, host), second.get_one(Host, host)
    mine.status = "installing"
    first.commit()
    theirs.stage = "rebooting"
    tracking.emit(second, Message("After", {}, key="k"))
    second.commit()
    *_, last = stored.payloads("Host")
    assert (last["status"], last["stage"]) == ("installing", "rebooting")
