"""Classes whose tables stand apart from those of their bases, and those that have no own table."""

from collections.abc import Iterator

import pytest
from sqlalchemy import ARRAY, Column, Engine, ForeignKey, Integer, MetaData, Table, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, column_property, mapped_column

from relay import Outbox
from relay.errors import EventDefinitionError
from tests.support.postgres import Database
from tests.support.service import Stored, url


class Base(DeclarativeBase):
    metadata = MetaData()


@pytest.fixture
def logs(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


class Log(Base):
    __tablename__ = "logs"

    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[str]


class AuditLog(Log):
    """A concrete class: its rows are none of the table of its base."""

    __tablename__ = "audit_logs"

    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[str]
    person: Mapped[str]
    __mapper_args__ = {"concrete": True}  # noqa: RUF012


def test_a_concrete_class_is_a_class_of_its_own(
    logs: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Log)
    with Session(logs) as session, session.begin():
        session.add_all([Log(id=1, line="a"), AuditLog(id=1, line="b", person="p")])
    with Session(logs) as session, session.begin():
        session.get_one(AuditLog, 1).person = "q"
    assert stored.states() == [("Log", 1, False)]
    outbox.track(AuditLog)
    with Session(logs) as session, session.begin():
        session.get_one(AuditLog, 1).person = "r"
    with Session(logs) as session, session.begin():
        session.delete(session.get_one(AuditLog, 1))
    assert stored.states()[1:] == [("AuditLog", 1, False), ("AuditLog", 1, True)]
    assert stored.payloads("AuditLog")[0] == {"id": 1, "line": "b", "person": "r"}


class Joined(DeclarativeBase):
    metadata = MetaData()


_left = Table("lefts", Joined.metadata, Column("id", Integer, primary_key=True))
_right = Table("rights", Joined.metadata, Column("id", ForeignKey("lefts.id"), primary_key=True))


class Both(Joined):
    __table__ = _left.join(_right)
    id = column_property(_left.c.id, _right.c.id)


class Path(Joined):
    __tablename__ = "paths"

    steps: Mapped[list[int]] = mapped_column(ARRAY(Integer), primary_key=True)


@pytest.mark.parametrize(("entity", "fault"), [(Both, "a join or a query"), (Path, "an array")])
def test_what_cannot_be_found_again_is_refused(entity: type, fault: str, outbox: Outbox) -> None:
    with pytest.raises(EventDefinitionError, match=f"{entity.__name__} .*{fault}"):
        outbox.track(entity)
