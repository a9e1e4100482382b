"""Each tracked object that a transaction changed yields one snapshot: the row at the commit."""

import uuid

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from relay import Outbox
from relay.errors import EventDefinitionError
from tests.support.models import Cluster, Disk, Host, InfraEnv
from tests.support.postgres import Database
from tests.support.service import Stored


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


@pytest.mark.parametrize("parts", ["/dev/sda", (1,), (1, "/dev/sda", 2)])
def test_a_part_of_a_primary_key_is_refused_where_it_is_given(
    parts: object, engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Disk)
    with Session(engine) as session, session.begin():
        for publish in (outbox.snapshot, outbox.replay):
            with pytest.raises(TypeError, match=r"Disk is \(host_id, path\): give a tuple"):
                publish(session, Disk, parts)
    assert stored.outbox() == []


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


@pytest.mark.usefixtures("host")
def test_pages_of_states_count_them_and_publish_them_again(
    service_database: Database, tracking: Outbox, stored: Stored
) -> None:
    shown: list[tuple[str, int]] = []
    with service_database.connect() as connection:
        for page in tracking.state_pages(connection, None, 5):
            shown.append((page.name, page.states))
            page.publish()
    assert shown == [("ClusterState", 1), ("Host", 1)]
    assert [(row["name"], row["replayed"]) for row in stored.outbox()] == [
        ("ClusterState", True),
        ("Host", True),
    ]
