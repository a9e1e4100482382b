"""The flush says what changed, the database which row that is, and a lock keeps it as it is."""

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import (
    CHAR,
    DateTime,
    Delete,
    Engine,
    ForeignKey,
    MetaData,
    Numeric,
    Update,
    Uuid,
    create_engine,
    event,
    select,
    text,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from relay import Message, Outbox
from relay.errors import EventDefinitionError
from tests.support.postgres import Database
from tests.support.service import Stored, url

ROUNDS = 50
FOUR = timezone(timedelta(hours=4))
ID: Final = uuid.uuid4()
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Base(DeclarativeBase):
    metadata = MetaData()


class Machine(Base):
    """A class over two tables, with a heartbeat that nobody wants to read."""

    __tablename__ = "machines"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default="new")
    beats: Mapped[int] = mapped_column(default=0)
    child: Mapped["Child | None"] = relationship(back_populates="machine")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "machine"}  # noqa: RUF012


class Server(Machine):
    __tablename__ = "servers"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    rack: Mapped[str] = mapped_column(default="")
    __mapper_args__ = {"polymorphic_identity": "server"}  # noqa: RUF012


class Child(Base):
    __tablename__ = "children"

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"))
    machine: Mapped[Machine | None] = relationship(back_populates="child")


class Texts(Base):
    __tablename__ = "by_text"

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Reading(Base):
    __tablename__ = "by_time"

    sensor: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Country(Base):
    __tablename__ = "by_char"

    code: Mapped[str] = mapped_column(CHAR(6), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Price(Base):
    __tablename__ = "by_number"

    id: Mapped[Decimal] = mapped_column(Numeric(10, 2), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Group(Base):
    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(primary_key=True)


class Member(Base):
    __tablename__ = "members"

    group: Mapped[str] = mapped_column(
        ForeignKey("groups.name", onupdate="CASCADE", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)


class Badge(Base):
    """Not tracked; it lies between a member and a door."""

    __tablename__ = "badges"

    id: Mapped[int] = mapped_column(primary_key=True)
    group: Mapped[str] = mapped_column(
        ForeignKey("groups.name", onupdate="CASCADE", ondelete="CASCADE")
    )


class Door(Base):
    __tablename__ = "doors"

    id: Mapped[int] = mapped_column(primary_key=True)
    badge_id: Mapped[int] = mapped_column(ForeignKey("badges.id", ondelete="CASCADE"))


@pytest.fixture
def machines(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def together(*steps: Callable[[], None]) -> None:
    """Run *steps* at once, each in a thread."""
    begin = threading.Barrier(len(steps))
    failed: list[BaseException] = []

    def run(step: Callable[[], None]) -> None:
        begin.wait()
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def test_two_sessions_change_two_tables_of_one_object(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Server)
    with Session(machines) as session, session.begin():
        session.add(Server(id=1))

    def change(attribute: str, value: str) -> Callable[[], None]:
        def run() -> None:
            with Session(machines) as session, session.begin():
                setattr(session.get_one(Server, 1), attribute, value)

        return run

    for number in range(ROUNDS):
        together(change("status", f"s{number}"), change("rack", f"r{number}"))
        last = stored.outbox()[-1]["payload"]
        assert (last["status"], last["rack"]) == (f"s{number}", f"r{number}")


KEYS: dict[str, tuple[type[Base], Callable[[], Any], Callable[[], Any]]] = {
    "hex": (Texts, lambda: Texts(id=ID.hex), lambda: ID.hex),
    "upper case": (Texts, lambda: Texts(id=str(ID)), lambda: str(ID).upper()),
    "another offset": (
        Reading,
        lambda: Reading(sensor=1, at=NOON),
        lambda: (1, NOON.astimezone(FOUR)),
    ),
    "padded": (Country, lambda: Country(code="DE"), lambda: "DE"),
    "another scale": (Price, lambda: Price(id=Decimal(1)), lambda: Decimal(1)),
}


@pytest.mark.parametrize(("entity", "make", "key"), KEYS.values(), ids=KEYS)
def test_a_key_is_what_the_database_takes_it_for(
    entity: type[Base],
    make: Callable[[], Base],
    key: Callable[[], Any],
    machines: Engine,
    outbox: Outbox,
    stored: Stored,
) -> None:
    outbox.track(entity)
    with Session(machines) as session, session.begin():
        session.add(make())
        session.flush()
        outbox.snapshot(session, entity, key())
    with Session(machines) as session, session.begin():
        found = make()
        if isinstance(found, Texts):
            found.id = key()
        found.value = 1  # type: ignore[attr-defined]
        session.merge(found)
    with Session(machines) as session, session.begin():
        outbox.snapshot(session, entity, key())
    with Session(machines) as session, session.begin():
        session.delete(session.get_one(entity, key()))
    shown = [(row["payload"]["value"], "deleted" in row["payload"]) for row in stored.outbox()]
    assert shown == [(0, False), (1, False), (1, False), (1, True)]
    assert len({str(row["payload"].get("id")) for row in stored.outbox()}) == 1


def test_keys_of_several_types_in_one_read(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Texts)
    other = uuid.uuid4()
    with Session(machines) as session, session.begin():
        session.add_all([Texts(id=str(ID)), Texts(id=other.hex)])
        session.flush()
        outbox.snapshot(session, Texts, str(other).upper(), ID.hex)
    assert [row["payload"]["id"] for row in stored.outbox()] == [str(ID), str(other)]


class Routed(Session):
    """Reads go to a follower, as the documentation of SQLAlchemy shows it."""

    leader: Engine
    follower: Engine

    def get_bind(self, mapper: Any = None, *, clause: Any = None, **_: Any) -> Engine:  # noqa: ANN401, ARG002
        return self.leader if self._writes(clause) else self.follower

    def _writes(self, clause: Any) -> bool:  # noqa: ANN401
        return self._flushing or isinstance(clause, (Update, Delete))


class RoutedByStatement(Routed):
    """Only some statements go to the leader; a flush asks for no statement."""

    def _writes(self, clause: Any) -> bool:  # noqa: ANN401
        return clause is None or isinstance(clause, (Update, Delete))


@pytest.mark.parametrize("kind", [Routed, RoutedByStatement])
def test_everything_goes_through_the_connection_of_the_flush(
    kind: type[Routed], machines: Engine, database: Database, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Machine)
    follower = create_engine(
        url(database), connect_args={"options": "-c default_transaction_read_only=on"}
    )
    kind.leader, kind.follower = machines, follower
    with kind() as session, session.begin():
        session.add(Machine(id=1))
    with kind() as session, session.begin():
        # Before the follower has seen anything of it.
        session.scalars(select(Machine)).one().status = "known"
        outbox.emit(session, Message("First", {}))
    with kind() as session, session.begin():
        outbox.emit(session, Message("Alone", {}))
    with kind() as session, session.begin():
        outbox.snapshot(session, Machine, 1)
    with kind() as session, session.begin():
        session.delete(session.scalars(select(Machine)).one())
    follower.dispose()
    assert stored.names() == ["Machine", "Machine", "First", "Alone", "Machine", "Machine"]
    states = [(row["status"], "deleted" in row) for row in stored.payloads("Machine")]
    assert states == [("new", False), ("known", False), ("known", False), ("known", True)]


def test_a_session_that_binds_classes_alone(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Machine)
    with Session(binds={Machine: machines}) as session, session.begin():
        session.add(Machine(id=1))
        outbox.emit(session, Message("Beside", {}))
    assert stored.names() == ["Machine", "Beside"]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_row_that_was_not_written_yields_nothing(
    level: str, machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    for entity in (Machine, Child):
        outbox.track(entity)
    with Session(machines) as session, session.begin():
        session.add(Machine(id=1, status="v1"))
    strict = machines.execution_options(isolation_level=level)
    with Session(strict) as mine:
        machine = mine.get_one(Machine, 1)
        with Session(machines) as other, other.begin():
            other.get_one(Machine, 1).status = "v2"
        machine.child = Child(id=1)
        mine.commit()
    assert [row["status"] for row in stored.payloads("Machine")] == ["v1", "v2"]
    assert len(stored.payloads("Child")) == 1


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_on_request_locks_what_it_reads(
    level: str, machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Machine)
    with Session(machines) as session, session.begin():
        session.add(Machine(id=1, status="v1"))
    with Session(machines.execution_options(isolation_level=level)) as mine:
        mine.get_one(Machine, 1)
        with Session(machines) as other, other.begin():
            other.get_one(Machine, 1).status = "v2"
        outbox.snapshot(mine, Machine, 1)
        with pytest.raises(OperationalError, match="could not serialize"):
            mine.commit()
    assert [row["status"] for row in stored.payloads("Machine")] == ["v1", "v2"]


def test_requests_and_changes_of_one_row_at_once(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Server)
    with Session(machines) as session, session.begin():
        session.add(Server(id=1))

    def change(number: int) -> None:
        with Session(machines) as session, session.begin():
            session.get_one(Server, 1).rack = f"r{number}"

    def ask() -> None:
        with Session(machines) as session, session.begin():
            outbox.snapshot(session, Server, 1)

    for number in range(ROUNDS):
        together(lambda number=number: change(number), ask)  # type: ignore[misc]
        assert stored.outbox()[-1]["payload"]["rack"] == f"r{number}"


def test_a_column_that_is_not_published_changes_nothing(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Server, exclude=["beats"])
    with Session(machines) as session, session.begin():
        session.add(Server(id=1))
    for _ in range(3):
        with Session(machines) as session, session.begin():
            session.get_one(Server, 1).beats += 1
        with Session(machines) as session, session.begin():
            session.get_one(Server, 1).beats = Server.beats + 1
    assert len(stored.outbox()) == 1


def test_columns_of_a_derived_class_are_published(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Machine)
    with Session(machines) as session, session.begin():
        session.add_all([Machine(id=1), Server(id=2, rack="a")])
    with Session(machines) as session, session.begin():
        session.get_one(Server, 2).rack = "b"
    with Session(machines) as session, session.begin():
        session.delete(session.get_one(Machine, 2))
    racks = [(row["id"], row.get("rack"), "deleted" in row) for row in stored.payloads("Machine")]
    assert racks == [(1, None, False), (2, "a", False), (2, "b", False), (2, "b", True)]
    assert "rack" not in stored.payloads("Machine")[0]
    with pytest.raises(EventDefinitionError, match="Machine is already"):
        outbox.track(Server)


def test_an_object_of_the_base_is_none_of_a_tracked_derived_class(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Server)
    with Session(machines) as session, session.begin():
        session.add(Machine(id=1))
    with Session(machines) as session, session.begin():
        session.get_one(Machine, 1).status = "known"
    with Session(machines) as session, session.begin():
        session.delete(session.get_one(Machine, 1))
    assert stored.outbox() == []


def test_a_changed_key_is_followed_by_the_rows_that_refer_to_it(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    for entity in (Group, Member, Door):
        outbox.track(entity)
    with Session(machines) as session, session.begin():
        session.add(Group(name="a"))
        session.flush()
        session.add_all([Member(group="a", number=1), Badge(id=1, group="a")])
        session.flush()
        session.add(Door(id=1, badge_id=1))
    before = len(stored.outbox())
    with Session(machines) as session, session.begin():
        session.get_one(Group, "a").name = "b"
    renamed = [(row["name"], row["payload"]) for row in stored.outbox()[before:]]
    assert ("Member", {"group": "b", "number": 1}) in renamed
    assert ("Member", {"group": "a", "number": 1, "deleted": True}) in renamed
    before = len(stored.outbox())
    with Session(machines) as session, session.begin():
        session.delete(session.get_one(Group, "b"))
    gone = {(row["name"], "deleted" in row["payload"]) for row in stored.outbox()[before:]}
    assert gone == {("Group", True), ("Member", True), ("Door", True)}


def test_an_unchanged_object_with_a_changed_collection_is_not_locked(
    machines: Engine, outbox: Outbox
) -> None:
    outbox.track(Server)
    with Session(machines) as session, session.begin():
        session.add(Server(id=1))
    statements: list[str] = []

    @event.listens_for(machines, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    with Session(machines) as session, session.begin():
        session.get_one(Server, 1).child = Child(id=1)
    assert not any("FOR NO KEY UPDATE" in statement for statement in statements)
    with Session(machines) as session, session.begin():
        session.execute(text("SELECT 1"))
        session.get_one(Server, 1).rack = "x"
    assert any("FOR NO KEY UPDATE" in statement for statement in statements)
