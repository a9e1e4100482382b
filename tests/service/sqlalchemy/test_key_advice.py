"""Where an event and the state of its object have different keys, one warning says so."""

import logging
import uuid
from collections.abc import Iterator
from typing import ClassVar

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import Event, Outbox, Scope, Severity
from relay.service import key_advice
from tests.support.models import Host, InfraEnv


class Base(DeclarativeBase):
    pass


class ParcelBox(Base):
    __tablename__ = "parcel_boxes"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int]


class BoxOpened(Event, severity=Severity.INFO, message="Opened", scope="parcel_box"):
    parcel_box_id: int


class HostSeen(Event, severity=Severity.INFO, message="Seen", scope=Scope.HOST):
    pass


class Advice(logging.Handler):
    found: ClassVar[list[str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


@pytest.fixture
def advice() -> Iterator[list[str]]:
    key_advice.advised.clear()
    handler = Advice()
    handler.found.clear()
    key_advice.log.addHandler(handler)
    yield handler.found
    key_advice.log.removeHandler(handler)


def test_a_host_of_an_infra_env_and_an_event_that_names_none(
    engine: Engine, outbox: Outbox, advice: list[str]
) -> None:
    outbox.track(Host)
    with Session(engine) as session, session.begin():
        session.add(infra_env := InfraEnv(id=uuid.uuid4(), name="i"))
        session.flush()
        session.add(host := Host(id=uuid.uuid4(), infra_env_id=infra_env.id))
        outbox.emit(session, HostSeen(host_id=host.id, infra_env_id=infra_env.id))
        host_id = host.id
    assert advice == []
    for status in "ab":
        with Session(engine) as session, session.begin():
            session.get_one(Host, host_id).status = status
            outbox.emit(session, HostSeen(host_id=host_id))
            outbox.emit(session, HostSeen(host_id=uuid.uuid4()))
    (told,) = advice
    assert told.startswith("Snapshots Host and events HostSeen of one object have different keys")
    assert str(host_id) not in told


@pytest.mark.parametrize(("key", "warnings"), [(None, 0), ("shop_id", 1)])
def test_a_domain_of_its_own(
    machines: Engine, outbox: Outbox, advice: list[str], key: str | None, warnings: int
) -> None:
    Base.metadata.create_all(machines)
    outbox.track(ParcelBox, key=key)
    with Session(machines) as session, session.begin():
        session.add(ParcelBox(id=1, shop_id=7))
        outbox.emit(session, BoxOpened(parcel_box_id=1))
    assert len(advice) == warnings
