"""Each tracked object that a transaction changed yields one snapshot: the row at the commit."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, event, select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.errors import EventDefinitionError, UntrackedWriteError
from tests.integration.service.conftest import WRITER, Stored, url
from tests.integration.service.models import Cluster, Disk, Host, HostStatusUpdated, InfraEnv
from tests.support.postgres import Database


@pytest.fixture
def cluster(service_database: Database) -> uuid.UUID:
    """A cluster that nobody tracked when it came."""
    return inserted(
        service_database, "INSERT INTO clusters (id, name, status) VALUES (%s, 'c', '')"
    )


@pytest.fixture
def host(service_database: Database, cluster: uuid.UUID) -> uuid.UUID:
    return inserted(
        service_database,
        "INSERT INTO hosts (id, cluster_id, name, status, inventory)"
        " VALUES (%s, %s, 'host', 'discovering', '{}')",
        cluster,
    )


def inserted(database: Database, statement: str, *values: uuid.UUID) -> uuid.UUID:
    identity = uuid.uuid4()
    with database.connect() as connection:
        connection.execute(statement.encode(), (identity, *values))
    return identity


def add(engine: Engine, entity: Cluster | InfraEnv | Host) -> uuid.UUID:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        session.add(entity)
    return entity.id


def test_an_insert(engine: Engine, tracking: Outbox, stored: Stored) -> None:
    with Session(engine) as session, session.begin():
        cluster = Cluster(name="c", pull_secret="hunter2")
        session.add(cluster)
        session.flush()
        cluster_id = str(cluster.id)
    (row,) = stored.outbox()
    assert (row["name"], row["key"], row["topic"]) == ("ClusterState", cluster_id, None)
    assert row["payload"] == {"id": cluster_id, "name": "c", "status": "insufficient"}
    assert tracking.streaming


@pytest.mark.usefixtures("tracking")
def test_several_updates_yield_one_snapshot_of_the_final_state(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        for status in ("known", "preparing", "installing"):
            found.status = status
            session.flush()
        found.stage = "writing image"
    (snapshot,) = stored.payloads("Host")
    assert (snapshot["status"], snapshot["stage"]) == ("installing", "writing image")


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


@pytest.mark.usefixtures("tracking")
def test_a_change_in_memory_that_was_never_flushed_is_not_shown(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        session.execute(
            update(Host).values(status="from the statement"),
            execution_options={"relay_untracked": True, "synchronize_session": False},
        )
        session.get_one(Host, host).stage = "rebooting"
    (snapshot,) = stored.payloads("Host")
    assert (snapshot["status"], snapshot["stage"]) == ("from the statement", "rebooting")


@pytest.mark.usefixtures("tracking")
def test_a_delete_shows_the_last_known_row(
    engine: Engine, host: uuid.UUID, cluster: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as stale:
        mine = stale.get_one(Host, host)
        with Session(engine) as other, other.begin():
            other.get_one(Host, host).stage = "rebooting"
        stale.delete(mine)
        stale.commit()
    *_, last = stored.outbox()
    assert last["key"] == str(cluster)
    assert last["payload"]["deleted"] is True
    assert last["payload"]["stage"] == "rebooting"


@pytest.mark.usefixtures("tracking")
def test_a_delete_cascades_through_the_session(
    engine: Engine, host: uuid.UUID, cluster: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        session.delete(session.get_one(Cluster, cluster))
    gone = [(row["name"], row["payload"]["id"], row["key"]) for row in stored.outbox()]
    assert sorted(gone) == sorted(
        [("Host", str(host), str(cluster)), ("ClusterState", str(cluster), str(cluster))]
    )


@pytest.mark.usefixtures("tracking")
def test_what_came_and_went_in_one_transaction_was_never_there(
    engine: Engine, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        cluster = Cluster(name="c")
        session.add(cluster)
        session.flush()
        session.delete(cluster)
    assert stored.outbox() == []


@pytest.mark.usefixtures("tracking")
def test_deleted_and_made_again_is_there(engine: Engine, host: uuid.UUID, stored: Stored) -> None:
    with Session(engine) as session, session.begin():
        session.delete(session.get_one(Host, host))
        session.flush()
        session.add(Host(id=host, status="again"))
    (snapshot,) = stored.payloads("Host")
    assert snapshot["status"] == "again"
    assert "deleted" not in snapshot


@pytest.mark.usefixtures("tracking")
def test_an_object_without_a_change_yields_none(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        found.status = "installing"
        found.status = "discovering"
        assert found in session.dirty
    assert stored.outbox() == []


@pytest.mark.usefixtures("tracking")
def test_nor_does_the_one_side_of_a_relationship(
    engine: Engine, cluster: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Cluster, cluster)
        found.hosts.append(Host())
    assert stored.names() == ["Host"]
    assert stored.payloads("Host")[0]["cluster_id"] == str(cluster)


@pytest.mark.usefixtures("tracking")
def test_binding_to_a_cluster_sends_the_state_again_under_its_key(
    engine: Engine, cluster: uuid.UUID, stored: Stored
) -> None:
    infra_env = add(engine, InfraEnv(name="e"))
    free = add(engine, Host(infra_env_id=infra_env))
    with Session(engine) as session, session.begin():
        session.get_one(InfraEnv, infra_env).cluster_id = cluster
        session.get_one(Host, free).cluster = session.get_one(Cluster, cluster)
    keys = [(row["name"], row["key"]) for row in stored.outbox()]
    assert keys[:2] == [("InfraEnv", str(infra_env)), ("Host", str(infra_env))]
    assert sorted(keys[2:]) == [("Host", str(cluster)), ("InfraEnv", str(cluster))]


@pytest.mark.usefixtures("tracking")
def test_a_host_that_belongs_to_nothing_is_its_own_key(engine: Engine, stored: Stored) -> None:
    host = add(engine, Host())
    assert [row["key"] for row in stored.outbox()] == [str(host)]


@pytest.mark.usefixtures("tracking")
def test_a_json_column_that_was_changed_in_place(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        found.inventory["cpu"] = {"count": 8}
    assert stored.payloads("Host")[0]["inventory"] == {"cpu": {"count": 8}}


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


def test_names_keys_fields_and_topics_are_the_services_choice(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    def by_status(row: dict[str, object]) -> str:
        return f"{row['status']}/{row['name']}"

    outbox.track(Host, name="HostState", fields=["status"], key=by_status, topic="states")  # type: ignore[arg-type]
    outbox.track(Cluster, exclude=["name"], key="name")
    host = add(engine, Host(name="h"))
    add(engine, Cluster(name="c"))
    first, second = stored.outbox()
    assert (first["name"], first["key"], first["topic"]) == (
        "HostState",
        "discovering/h",
        "states",
    )
    assert first["payload"] == {"id": str(host), "status": "discovering"}
    assert second["key"] == "c"
    assert second["payload"].keys() == {"id", "status"}


def test_a_primary_key_of_two_columns(
    engine: Engine, outbox: Outbox, host: uuid.UUID, stored: Stored
) -> None:
    outbox.track(Disk)
    with Session(engine) as session, session.begin():
        session.add_all(Disk(host_id=host, path=f"/dev/sd{x}", size_gib=1) for x in "ab")
    with Session(engine) as session, session.begin():
        session.get_one(Disk, (host, "/dev/sdb")).size_gib = 120
        session.delete(session.get_one(Disk, (host, "/dev/sda")))
        outbox.snapshot(session, Disk, (host, "/dev/sdb"))
    assert {row["key"] for row in stored.outbox()} == {str(host)}
    shown = sorted((d["path"], d["size_gib"], "deleted" in d) for d in stored.payloads("Disk")[2:])
    assert shown == [("/dev/sda", 1, True), ("/dev/sdb", 120, False)]


def test_snapshots_on_request(
    engine: Engine, tracking: Outbox, host: uuid.UUID, stored: Stored
) -> None:
    missing = uuid.uuid4()
    with Session(engine) as session, session.begin():
        tracking.snapshot(session, Host, host, missing)
    there, gone = stored.payloads("Host")
    assert there["status"] == "discovering"
    assert (gone["id"], gone["status"], gone["deleted"]) == (str(missing), None, True)
    with Session(engine) as session, pytest.raises(EventDefinitionError, match="track"):
        tracking.snapshot(session, Disk, host)


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
