"""Classes that share one table: only rows of the tracked one, and of its own, are published."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, ForeignKey, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import Outbox
from tests.support.postgres import Database
from tests.support.service import Stored, url


class Base(DeclarativeBase):
    metadata = MetaData()


class Shelf(Base):
    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)


class Node(Base):
    __tablename__ = "nodes"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(default=0)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "node"}  # noqa: RUF012


class Worker(Node):
    __mapper_args__ = {"polymorphic_identity": "worker"}  # noqa: RUF012


class SmallWorker(Worker):
    __mapper_args__ = {"polymorphic_identity": "small"}  # noqa: RUF012


class Arbiter(Node):
    __mapper_args__ = {"polymorphic_identity": "arbiter"}  # noqa: RUF012


ALL = (Node, Worker, SmallWorker, Arbiter)


@pytest.fixture
def nodes(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(Shelf(id=1))
        session.flush()
        session.add_all(entity(id=key, shelf_id=1) for key, entity in enumerate(ALL, 1))
    yield engine
    engine.dispose()


def told(stored: Stored, name: str) -> list[tuple[object, object, bool]]:
    return [
        (state["id"], state["size"], "deleted" in state)
        for state in sorted(stored.payloads(name), key=lambda state: state["id"])
    ]


@pytest.mark.parametrize("together", [True, False])
def test_an_update_of_another_class_is_none_of_it(
    nodes: Engine, outbox: Outbox, stored: Stored, *, together: bool
) -> None:
    outbox.track(Worker)
    for keys in [(1, 2, 3, 4)] if together else [(1,), (2,), (3,), (4,)]:
        with Session(nodes) as session, session.begin():
            for key in keys:
                session.get_one(Node, key).size = 5
    assert told(stored, "Worker") == [(2, 5, False), (3, 5, False)]


def test_what_is_asked_for_and_replayed_is_of_the_class(
    nodes: Engine, database: Database, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(SmallWorker)
    with Session(nodes) as session, session.begin():
        outbox.snapshot(session, SmallWorker, 3)
    with database.connect() as connection:
        for page in outbox.state_pages(connection, None, 1):
            assert page.states == 1
            page.publish()
    assert told(stored, "SmallWorker") == [(3, 0, False), (3, 0, False)]


def test_rows_that_go_along_belong_to_their_own_class(
    nodes: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Worker)
    outbox.track(Arbiter)
    with Session(nodes) as session, session.begin():
        session.delete(session.get_one(Shelf, 1))
    assert told(stored, "Worker") == [(2, 0, True), (3, 0, True)]
    assert told(stored, "Arbiter") == [(4, 0, True)]


def test_a_deletion_tells_of_the_class_alone(nodes: Engine, outbox: Outbox, stored: Stored) -> None:
    outbox.track(Worker)
    with Session(nodes) as session, session.begin():
        for key in (1, 2, 4):
            session.delete(session.get_one(Node, key))
    assert told(stored, "Worker") == [(2, 0, True)]


@pytest.mark.filterwarnings("ignore:Flushing object")
def test_a_row_that_becomes_another_class_is_gone_from_the_first(
    nodes: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Worker, fields=["size"])
    outbox.track(Arbiter, fields=["size"])
    with Session(nodes) as session, session.begin():
        session.get_one(Worker, 2).kind = "arbiter"
    assert told(stored, "Worker") == [(2, 0, True)]
    assert told(stored, "Arbiter") == [(2, 0, False)]
