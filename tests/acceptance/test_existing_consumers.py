"""Consumers that were there before go on working: EVENT_STREAM_PRESET=existing-consumers."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import Event, Outbox, Scope, Severity, load_catalogue
from tests.support.kafka.topics import ConsumedMessage
from tests.support.outbox import Consume, Start
from tests.support.outbox import Outbox as Rows
from tests.support.postgres import Database
from tests.support.service import url
from tests.support.strict_consumer import StrictConsumer

pytestmark = pytest.mark.kafka

SECRET = "hunter2"
CATALOGUE = """
x-events:
- name: host_status_updated
  message: "Host {host_name}: updated status to {status}"
  event_type: host
  severity: info
  properties: {cluster_id: UUID_PTR, host_id: UUID, host_name: string, status: string}

- name: host_progress_updated
  message: "Host {event}: {message}{unknown}"
  event_type: host
  severity: info
  properties:
    {cluster_id: UUID_PTR, host_id: UUID, severity: string, event: string, message: string}
"""


class Base(DeclarativeBase):
    metadata = MetaData()


class Cluster(Base):
    __tablename__ = "clusters"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_name: Mapped[str]
    status: Mapped[str]
    pull_secret: Mapped[str] = mapped_column(info={"secret": True})


class InfraEnv(Base):
    __tablename__ = "infra_envs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clusters.id"))


class Host(Base):
    __tablename__ = "hosts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clusters.id"))
    status: Mapped[str]


class ImageBuilt(Event, severity=Severity.INFO, message="Image built", scope=Scope.INFRA_ENV):
    pass


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"EVENT_STREAM_PRESET": "existing-consumers", "RELEASE_TAG": "v2.40"}


@pytest.fixture
def outbox(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    outbox = Outbox.from_environment()
    for entity in (Cluster, Host, InfraEnv):
        outbox.track(entity)
    yield outbox
    outbox.close()


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def rows(database: Database) -> Iterator[Rows]:
    with database.connect(autocommit=True) as connection:
        yield Rows(connection)


@pytest.fixture
def catalogue(tmp_path: Path) -> dict[str, type[Event]]:
    """Events that the YAML catalogue of a service lists."""
    path = tmp_path / "events.yaml"
    path.write_text(CATALOGUE)
    return load_catalogue(path)


@pytest.fixture
def updated(catalogue: dict[str, type[Event]]) -> type[Event]:
    return catalogue["host_status_updated"]


def consumed(messages: list[ConsumedMessage]) -> StrictConsumer:
    consumer = StrictConsumer()
    for message in messages:
        consumer.read(message.value)
    return consumer


def envelopes(messages: list[ConsumedMessage]) -> list[dict[str, Any]]:
    return [json.loads(message.value or b"") for message in messages]


def fnv1a_partition(key: bytes, partitions: int) -> int:
    """As the former producer placed it; written out again, so that it is held to the formula."""
    digest = 0x811C9DC5
    for byte in key:
        digest = (digest ^ byte) * 0x01000193 % 2**32
    return (digest & 0x7FFFFFFF) % partitions


@pytest.fixture
def installing(
    engine: Engine, outbox: Outbox, updated: type[Event]
) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
    """One transaction's cluster, host and infra-env, and events of each of the two scopes."""
    cluster, host, infra_env = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    with Session(engine) as session, session.begin():
        # Emitted first: the states come before it all the same.
        for _ in range(2):
            outbox.emit(
                session,
                updated(cluster_id=cluster, host_id=host, host_name="a", status="{host_name}"),
            )
        session.add(Cluster(id=cluster, user_name="me", status="new", pull_secret=SECRET))
        session.flush()
        session.add(Host(id=host, cluster_id=cluster, status="known"))
        session.add(InfraEnv(id=infra_env, cluster_id=cluster))
        outbox.emit(session, ImageBuilt(infra_env_id=infra_env))
    return cluster, host, infra_env


def test_a_consumer_reads_what_it_always_did(
    installing: tuple[uuid.UUID, uuid.UUID, uuid.UUID], relay: Start, read: Consume
) -> None:
    cluster, host, infra_env = installing
    relay()
    messages = read(count=6)
    consumer = consumed(messages)

    # Of one cluster: one key, where the former producer placed it, the states before the events.
    of_cluster = [m for m in messages if m.key == str(cluster).encode()]
    names = [envelope["name"] for envelope in envelopes(of_cluster)]
    assert sorted(names[:3]) == ["ClusterState", "HostState", "InfraEnv"]
    assert names[3:] == ["Event", "Event"]
    assert {m.partition for m in of_cluster} == {fnv1a_partition(str(cluster).encode(), 4)}

    # Two events of one text have an identity each: message and time, to the microsecond.
    first, second = consumer.documents.values()
    assert first["message"] == second["message"] == "Host a: updated status to {host_name}"
    assert all(datetime.fromisoformat(d["event_time"]).tzinfo for d in (first, second))
    assert all(
        len(d["event_time"].partition(".")[2]) == len("123456+00:00") for d in (first, second)
    )
    assert first["event_time"] != second["event_time"]
    assert {name: first[name] for name in ("name", "severity", "category", "props")} == {
        "name": "host_status_updated",
        "severity": "info",
        "category": "user",
        "props": {"host_name": "a", "status": "{host_name}"},
    }
    assert (first["host_id"], first["infra_env_id"], first["request_id"]) == (str(host), None, None)

    # Enriched with the states that it read before.
    assert first["cluster"] == {"id": str(cluster), "user_name": "me", "status": "new"}
    assert [h["id"] for h in first["hosts"]] == [str(host)]
    assert [e["id"] for e in first["infra_envs"]] == [str(infra_env)]
    assert first["release_tag"] == "v2.40"
    assert "assisted-installer-service" in first["versions"]
    assert SECRET not in str(messages)

    # What belongs to no cluster has the empty key, and is dropped there.
    (other,) = (m for m in messages if m not in of_cluster)
    assert (other.key, other.partition) == (b"", fnv1a_partition(b"", 4))
    assert [event["name"] for event in consumer.dropped] == ["ImageBuilt"]


@pytest.mark.usefixtures("outbox")
def test_what_is_bound_to_a_cluster_is_sent_again(
    engine: Engine, relay: Start, read: Consume
) -> None:
    cluster, host, infra_env = (uuid.uuid4() for _ in range(3))
    with Session(engine) as session, session.begin():
        session.add(Cluster(id=cluster, user_name="me", status="new", pull_secret=SECRET))
        session.add(Host(id=host, cluster_id=None, status="known"))
        session.add(InfraEnv(id=infra_env, cluster_id=None))
    with Session(engine) as session, session.begin():
        session.get_one(Host, host).cluster_id = cluster
        session.get_one(InfraEnv, infra_env).cluster_id = cluster
    relay()
    messages = read(count=5)
    by_key = [(m.key, e["name"]) for m, e in zip(messages, envelopes(messages), strict=True)]
    assert by_key.count((b"", "HostState")) == by_key.count((b"", "InfraEnv")) == 1
    key = str(cluster).encode()
    assert {(key, "HostState"), (key, "InfraEnv"), (key, "ClusterState")} <= set(by_key)
    # What came before under the empty key may be in another partition, and be read later.
    states = consumed([m for m in messages if m.key == key]).states
    assert states["HostState"][str(host)]["cluster_id"] == str(cluster)
    assert states["InfraEnv"][str(infra_env)]["cluster_id"] == str(cluster)


def test_properties_called_like_facts_of_the_event(
    engine: Engine, outbox: Outbox, catalogue: dict[str, type[Event]], relay: Start, read: Consume
) -> None:
    own = {"severity": "error", "event": "e", "message": "m"}
    progress = catalogue["host_progress_updated"]
    cluster = uuid.uuid4()
    with Session(engine) as session, session.begin():
        outbox.emit(session, progress(cluster_id=cluster, host_id=cluster, **own))
    relay()
    (document,) = consumed(read(count=1)).documents.values()
    assert (document["message"], document["severity"]) == ("Host e: m{unknown}", "error")
    assert (document["name"], document["props"]) == ("host_progress_updated", own)


def test_nothing_else_reaches_the_topic(rows: Rows, relay: Start, read: Consume) -> None:
    for name in ("Heartbeat", "event", "HostStatusUpdated"):
        rows.emit(name)
    rows.emit("ClusterState", '{"id": "k"}')
    process = relay()
    rows.await_empty()
    messages = read()
    assert envelopes(messages)[0]["metadata"]["versions"]["release_tag"] == "v2.40"
    assert list(consumed(messages).states["ClusterState"]) == ["k"]
    assert len(messages) == 1
    assert rows.count("last_error LIKE '%existing consumers would stop%'") == 3
    assert process.terminate() == 0


def test_a_redelivery_has_the_same_bytes(
    engine: Engine, outbox: Outbox, updated: type[Event], rows: Rows, relay: Start, read: Consume
) -> None:
    host = uuid.uuid4()
    with Session(engine) as session, session.begin():
        outbox.emit(session, updated(cluster_id=host, host_id=host, host_name="a", status="known"))
    columns = "id, event_id, topic, key, name, payload, metadata, headers"
    rows.connection.execute(f"CREATE TEMP TABLE kept AS SELECT {columns} FROM outbox")
    first_relay = relay()
    rows.await_empty()
    assert first_relay.terminate() == 0
    # As after a crash between Kafka's acknowledgement and the commit; another release takes over.
    rows.connection.execute(
        f"INSERT INTO outbox ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept"
    )
    relay(SELF_VERSION="another", RELEASE_TAG="another")
    first, second = read(count=2)
    assert (first.value, first.key, first.headers) == (second.value, second.key, second.headers)
    assert len(consumed([first, second]).documents) == 1
