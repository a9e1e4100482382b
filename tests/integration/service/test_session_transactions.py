"""A session's buffer follows its transaction: what was undone never reaches a table."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session, sessionmaker

from relay import Message, Outbox
from relay.demo.postgres import EmbeddedPostgres
from relay.errors import NoTransactionError, PayloadError
from relay.service import tables
from tests.integration.service.conftest import Stored, url
from tests.integration.service.models import Cluster, InfraEnv
from tests.support.postgres import Database, apply_schema, temporary_database


def message(name: str) -> Message:
    return Message(name, {})


@contextmanager
def listening(target: object, name: str, listener: Callable[..., None]) -> Iterator[None]:
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)


def test_rows_are_written_at_the_commit_and_not_before(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    with Session(engine) as session, listening(engine, "before_cursor_execute", note):
        outbox.emit(session, message("First"))
        session.add(Cluster(name="c"))
        outbox.emit(session, message("Second"))
        session.flush()
        assert statements == ["INSERT"]
        session.commit()
    assert statements == ["INSERT", "INSERT"]
    assert stored.names() == ["First", "Second"]


def test_rollback_clears(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Phantom"))
        session.rollback()
        outbox.emit(session, message("Real"))
        session.commit()
    assert stored.names() == ["Real"]


def test_a_session_closed_without_commit_leaves_nothing_for_its_next_life(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    session = Session(engine)
    outbox.emit(session, message("Phantom"))
    session.close()
    outbox.emit(session, message("Real"))
    session.commit()
    session.close()
    assert stored.names() == ["Real"]


def test_a_session_is_used_again_after_a_commit(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        for name in ("First", "Second"):
            outbox.emit(session, message(name))
            session.commit()
        session.commit()
    assert stored.names() == ["First", "Second"]


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


@pytest.mark.filterwarnings("ignore:transaction already deassociated")
def test_a_rollback_of_the_connection_below_clears(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Phantom"))
        transaction = session.connection().get_transaction()
        assert transaction is not None
        transaction.rollback()
        with pytest.raises(InvalidRequestError):
            session.commit()
        session.rollback()
        session.commit()
    assert stored.outbox() == []


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


def test_a_commit_that_fails_leaves_nothing_for_the_next_transaction(
    engine: Engine, outbox: Outbox, database: Database, stored: Stored
) -> None:
    with database.connect() as owner:
        owner.execute(
            "ALTER TABLE infra_envs ALTER CONSTRAINT infra_envs_cluster_id_fkey"
            " DEFERRABLE INITIALLY DEFERRED"
        )
    orphan = text("INSERT INTO infra_envs VALUES (:id, 'e', :id)")
    with Session(engine) as session:
        session.execute(orphan, {"id": "9b2f8a5e-7d0d-4cbd-9c33-0e6e2d9f3b11"})
        outbox.emit(session, message("Phantom"))
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
        outbox.emit(session, message("Real"))
        session.commit()
    assert stored.names() == ["Real"]


def test_without_the_outbox_table_the_commit_fails_and_so_does_the_change(
    engine: Engine, outbox: Outbox, database: Database
) -> None:
    with database.connect() as owner:
        owner.execute("ALTER TABLE outbox RENAME TO gone")
    with Session(engine) as session:
        session.add(Cluster(name="c"))
        outbox.emit(session, message("Lost"))
        with pytest.raises(DBAPIError, match="outbox"):
            session.commit()
        session.rollback()
    with database.connect() as owner:
        assert owner.execute("SELECT count(*) FROM clusters").fetchone() == (0,)


def test_an_error_in_the_item_is_raised_where_it_is_emitted(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        with pytest.raises(PayloadError, match="NUL"):
            outbox.emit(session, Message("Bad", {"text": "a\x00b"}))
        outbox.emit(session, message("Good"))
        session.commit()
    assert stored.names() == ["Good"]


def test_a_later_listener_may_emit_too(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    factory = sessionmaker(engine)

    def late(session: Session) -> None:
        outbox.emit(session, message("Late"))

    event.listen(factory, "before_commit", late)
    with factory() as session:
        outbox.emit(session, message("Early"))
        session.commit()
    assert stored.names() == ["Early", "Late"]


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


@pytest.mark.parametrize("mode", ["create_savepoint", "rollback_only", "control_fully"])
def test_a_session_inside_somebody_elses_transaction(
    mode: str, engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    for name, ending in (("Phantom", "rollback"), ("Real", "commit")):
        with engine.connect() as connection:
            transaction = connection.begin()
            with Session(connection, join_transaction_mode=mode) as session:  # type: ignore[arg-type]
                outbox.emit(session, message(name))
                session.commit()
            if transaction.is_active:
                getattr(transaction, ending)()
    # Full control means that the session's commit is the last word.
    assert stored.names() == (["Phantom", "Real"] if mode == "control_fully" else ["Real"])


def test_an_outer_rollback_takes_what_the_open_session_has_emitted(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        session = Session(connection, join_transaction_mode="rollback_only")
        session.execute(text("SELECT 1"))
        outbox.emit(session, message("Phantom"))
        transaction.rollback()
        session.close()
        outbox.emit(session, message("Real"))
        session.commit()
        session.close()
        connection.commit()
    assert stored.names() == ["Real"]


def test_several_binds(engine: Engine, database: Database, outbox: Outbox, stored: Stored) -> None:
    elsewhere = create_engine(url(database.sibling("postgres")))
    with Session(elsewhere) as session:
        session.bind_table(tables.outbox, engine)
        session.execute(text("SELECT 1"))
        outbox.emit(session, message("Real"))
        savepoint = session.connection(bind_arguments={"mapper": Cluster}).begin_nested()
        savepoint.commit()
        session.commit()
        outbox.emit(session, message("Phantom"))
        session.rollback()
    elsewhere.dispose()
    assert stored.names() == ["Real"]


def test_two_phase_commit(outbox: Outbox) -> None:
    settings = {"max_prepared_transactions": "2", "fsync": "off"}
    with EmbeddedPostgres(settings) as server, temporary_database(Database(server.dsn())) as own:
        apply_schema(own)
        engine = create_engine(url(own))
        with Session(engine, twophase=True) as session:
            outbox.emit(session, message("Real"))
            session.commit()
            outbox.emit(session, message("Phantom"))
            session.prepare()
            session.rollback()
        engine.dispose()
        assert Stored(own).names() == ["Real"]


def test_without_autobegin_a_transaction_is_asked_for(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine, autobegin=False) as session:
        with pytest.raises(NoTransactionError, match="begin"):
            outbox.emit(session, message("Phantom"))
        with session.begin():
            outbox.emit(session, message("Real"))
    assert stored.names() == ["Real"]


def test_sessions_on_other_tables_are_left_alone(empty_database: Database, outbox: Outbox) -> None:
    assert outbox.streaming
    engine = create_engine(url(empty_database))
    MetaData().create_all(engine)
    with Session(engine) as session:
        session.execute(text("CREATE TABLE t (i int)"))
        with session.begin_nested():
            session.execute(text("INSERT INTO t VALUES (1)"))
        session.commit()
    engine.dispose()
