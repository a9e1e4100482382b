"""The flush says what changed, the database which row that is, and a lock keeps it as it is."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Update,
    create_engine,
    event,
    select,
    text,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.errors import EventDefinitionError, UntrackedWriteError
from tests.service.sqlalchemy.machines import Badge, Child, Door, Group, Machine, Member, Server
from tests.support.postgres import Database
from tests.support.service import Stored, url

ROUNDS = 50


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


class RoutedByFlush(Routed):
    """Whatever is no flush goes to the follower."""

    def _writes(self, clause: Any) -> bool:  # noqa: ANN401, ARG002
        return self._flushing


@pytest.mark.parametrize("kind", [Routed, RoutedByStatement, RoutedByFlush])
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


def test_a_statement_in_the_events_of_a_flush_whose_effect_is_handed_on(
    machines: Engine, outbox: Outbox
) -> None:
    outbox.track(Member)

    def meddle(_mapper: object, connection: Connection, _target: object) -> None:
        connection.execute(update(Group).values(name="renamed"))

    event.listen(Machine, "after_insert", meddle)
    try:
        with Session(machines) as session:
            session.add(Machine(id=1))
            with pytest.raises(UntrackedWriteError, match="ON UPDATE"):
                session.flush()
    finally:
        event.remove(Machine, "after_insert", meddle)
