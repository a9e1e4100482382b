"""The format for existing consumers refuses, on the service's side, what they cannot read."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from relay import Message, Outbox
from relay.errors import EventDefinitionError, PayloadError
from relay.formats.existing_consumers import ExistingConsumers
from relay.settings.preset import Preset


class Base(DeclarativeBase):
    pass


class Host(Base):
    __tablename__ = "hosts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[uuid.UUID | None]
    versions: Mapped[str]


class Disk(Base):
    __tablename__ = "disks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    outbox = Outbox(streaming=True, versions={}, preset=Preset.EXISTING_CONSUMERS)
    yield outbox
    outbox.close()


def test_only_four_names_are_emitted() -> None:
    form = ExistingConsumers()
    for name in ("Heartbeat", "event", "Host", "Cluster"):
        with pytest.raises(PayloadError, match=f"{name}: no such message may be on the stream"):
            form.checked(Message(name, {}))
    for name in ("Event", "ClusterState", "HostState", "InfraEnv"):
        assert form.checked(Message(name, {})).key == ""


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("Event", "cluster_id"),
        ("HostState", "cluster_id"),
        ("InfraEnv", "cluster_id"),
        ("ClusterState", "id"),
    ],
)
def test_the_key_is_the_clusters(name: str, owner: str) -> None:
    form = ExistingConsumers()
    payload = {"id": "own", "cluster_id": "other"} | {owner: "c"}
    assert form.checked(Message(name, payload)).key == "c"
    assert form.checked(Message(name, payload, key="c")).key == "c"
    with pytest.raises(PayloadError, match="existing consumers need the cluster's id as the key"):
        form.checked(Message(name, payload, key="mine"))


@pytest.mark.parametrize(
    ("entity", "options", "fault"),
    [
        (Disk, {}, "Disk: existing consumers stop at snapshots named Disk"),
        (Disk, {"name": "Event"}, "stop at snapshots named Event"),
        (Disk, {"name": "HostState"}, "HostState: existing consumers need cluster_id"),
        (Host, {}, "HostState: .* field names versions; leave them out with exclude"),
        (Host, {"exclude": ["versions"], "key": "id"}, "need the cluster's id as the key"),
        (Host, {"exclude": ["id"]}, "existing consumers need id"),
    ],
)
def test_a_class_that_they_cannot_read(
    outbox: Outbox, entity: type, options: dict[str, object], fault: str
) -> None:
    with pytest.raises(EventDefinitionError, match=fault):
        outbox.track(entity, **options)  # type: ignore[arg-type]
