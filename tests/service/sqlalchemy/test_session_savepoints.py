"""What a session emitted inside of a savepoint goes with it, however it was made or rolled back."""

import uuid

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from relay import Message, Outbox
from tests.support.models import Cluster, InfraEnv
from tests.support.service import Stored


def message(name: str) -> Message:
    return Message(name, {})


def test_a_savepoint_of_the_session_takes_its_rows_along(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Before"))
        with session.begin_nested() as savepoint:
            session.add(Cluster(name="c"))
            session.flush()
            outbox.emit(session, message("Phantom"))
            savepoint.rollback()
        with session.begin_nested():
            outbox.emit(session, message("Kept"))
        outbox.emit(session, message("After"))
        session.commit()
    assert stored.names() == ["Before", "Kept", "After"]


def test_so_does_one_that_nothing_has_touched(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Before"))
        with session.begin_nested() as savepoint:
            outbox.emit(session, message("Phantom"))
            savepoint.rollback()
        session.commit()
    assert stored.names() == ["Before"]


def test_so_does_one_that_began_before_anything_was_emitted(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outer = session.begin_nested()
        inner = session.begin_nested()
        outbox.emit(session, message("Phantom"))
        inner.rollback()
        outbox.emit(session, message("Real"))
        outer.commit()
        session.commit()
    assert stored.names() == ["Real"]


def test_so_does_one_that_is_only_closed(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Before"))
        savepoint = session.begin_nested()
        outbox.emit(session, message("Phantom"))
        savepoint.close()
        session.commit()
    assert stored.names() == ["Before"]


@pytest.mark.parametrize("touched", [True, False])
def test_two_levels_of_savepoints(
    touched: bool,  # noqa: FBT001 - pytest gives it by name
    engine: Engine,
    outbox: Outbox,
    stored: Stored,
) -> None:
    with Session(engine) as session:

        def emit(name: str) -> None:
            if touched:
                session.execute(text("SELECT 1"))
            outbox.emit(session, message(name))

        emit("Root")
        with session.begin_nested() as outer:
            emit("Phantom 1")
            with session.begin_nested():
                emit("Phantom 2: released, then undone with the outer one")
            outer.rollback()
        with session.begin_nested():
            emit("Outer")
            with session.begin_nested() as inner:
                emit("Phantom 3")
                inner.rollback()
            emit("Outer again")
        session.commit()
    assert stored.names() == ["Root", "Outer", "Outer again"]


def test_a_savepoint_of_the_connection_below_takes_its_rows_along(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Before"))
        savepoint = session.connection().begin_nested()
        outbox.emit(session, message("Phantom"))
        savepoint.rollback()
        with session.connection().begin_nested():
            outbox.emit(session, message("Kept"))
        session.commit()
    assert stored.names() == ["Before", "Kept"]


def test_savepoints_of_the_connection_in_one_another(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        connection = session.connection()
        outer = connection.begin_nested()
        outbox.emit(session, message("Outer"))
        inner = connection.begin_nested()
        outbox.emit(session, message("Phantom"))
        inner.rollback()
        outer.commit()
        outer = connection.begin_nested()
        outbox.emit(session, message("Phantom 2"))
        connection.begin_nested().commit()
        outbox.emit(session, message("Phantom 3"))
        outer.rollback()
        session.commit()
    assert stored.names() == ["Outer"]


def test_a_savepoint_in_plain_sql_takes_its_rows_along(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Before"))
        session.execute(text("SAVEPOINT mine"))
        outbox.emit(session, message("Phantom"))
        session.execute(text("ROLLBACK TO SAVEPOINT mine"))
        outbox.emit(session, message("After"))
        session.commit()
    assert stored.names() == ["Before", "After"]


def test_one_that_was_rolled_back_to_twice(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Before"))
        session.execute(text("SAVEPOINT mine"))
        for name in ("Phantom", "Phantom 2"):
            outbox.emit(session, message(name))
            session.execute(text("ROLLBACK TO mine"))
        outbox.emit(session, message("After"))
        session.commit()
    assert stored.names() == ["Before", "After"]


def test_a_failing_flush_inside_a_savepoint(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session:
        session.add(Cluster(name="c"))
        outbox.emit(session, message("Before"))
        session.flush()
        savepoint = session.begin_nested()
        outbox.emit(session, message("Phantom"))
        session.add(InfraEnv(name="e", cluster_id=uuid.uuid4()))
        with pytest.raises(IntegrityError):
            session.flush()
        savepoint.rollback()
        outbox.emit(session, message("After"))
        session.commit()
    assert stored.names() == ["Before", "After"]


def test_a_root_that_commits_over_an_open_savepoint_loses_nothing(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        root = session.begin()
        outbox.emit(session, message("Root"))
        session.begin_nested()
        outbox.emit(session, message("Nested"))
        root.commit()
    assert stored.names() == ["Root", "Nested"]
