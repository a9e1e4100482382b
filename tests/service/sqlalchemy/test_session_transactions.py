"""A session's buffer follows its transaction: what was undone never reaches a table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import (
    IntegrityError,
    InvalidRequestError,
    SQLAlchemyError,
)
from sqlalchemy.orm import Session, sessionmaker

from relay import Message, Outbox
from relay.demo.postgres import EmbeddedPostgres
from relay.errors import NoTransactionError, PayloadError, SchemaError
from relay.service.sqlalchemy import tables
from tests.support.models import Cluster
from tests.support.postgres import Database, apply_schema, temporary_database
from tests.support.service import Stored, url


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
        with pytest.raises(SchemaError, match="relay migrate"):
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


@pytest.mark.parametrize("mode", ["create_savepoint", "rollback_only", "control_fully"])
def test_an_outer_rollback_takes_what_the_open_session_has_emitted(
    mode: str, engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        session = Session(connection, join_transaction_mode=mode)  # type: ignore[arg-type]
        session.execute(text("SELECT 1"))
        outbox.emit(session, message("Phantom"))
        transaction.rollback()
        # The session knows nothing of it, and goes on in the next transaction.
        with suppress(SQLAlchemyError):
            session.commit()
        connection.commit()
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
