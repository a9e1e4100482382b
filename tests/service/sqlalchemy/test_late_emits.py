"""An emit that cannot be written any more is refused at the call; all others are written."""

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.demo.postgres import EmbeddedPostgres
from relay.errors import NoTransactionError
from relay.service.sqlalchemy import tables
from tests.support.models import Cluster, Host
from tests.support.postgres import Database, apply_schema, temporary_database
from tests.support.service import Stored, url


def message(name: str) -> Message:
    return Message(name, {})


HOOKS = ["after_commit", "after_rollback", "after_soft_rollback"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("written", [True, False])
def test_in_a_hook_after_the_end(
    hook: str,
    written: bool,  # noqa: FBT001 - pytest gives it by name
    engine: Engine,
    outbox: Outbox,
    stored: Stored,
) -> None:
    refused: list[str] = []
    session = Session(engine)

    def late(session: Session, *_: object) -> None:
        try:
            outbox.emit(session, message("Lost"))
        except NoTransactionError as error:
            refused.append(str(error))

    session.begin()
    if written:
        session.execute(text("SELECT 1"))
    event.listen(session, hook, late)
    session.commit() if hook == "after_commit" else session.rollback()
    event.remove(session, hook, late)
    session.commit()
    session.close()
    # One that is over for good begins a new transaction, which was committed here.
    assert (len(refused), stored.names()) in [(1, []), (0, ["Lost"])]
    if refused:
        assert "before commit()" in refused[0]


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("mode", ["conditional_savepoint", "create_savepoint", "rollback_only"])
def test_in_a_listener_that_was_registered_later(
    connected: bool,  # noqa: FBT001 - pytest gives it by name
    mode: str,
    engine: Engine,
    outbox: Outbox,
    stored: Stored,
) -> None:
    for outer in (False, True):
        with engine.connect() as connection:
            bind = connection if outer else engine
            if outer:
                connection.begin()
            session = Session(bind, join_transaction_mode=mode)  # type: ignore[arg-type]
            if connected:
                session.execute(text("SELECT 1"))

            @event.listens_for(session, "before_commit")
            def late(session: Session) -> None:
                outbox.emit(session, message("Late"))

            session.commit()
            session.close()
            if outer:
                connection.commit()
    assert stored.names() == ["Late", "Late"]


def test_two_phases(outbox: Outbox) -> None:
    settings = {"max_prepared_transactions": "2", "fsync": "off"}
    with EmbeddedPostgres(settings) as server, temporary_database(Database(server.dsn())) as own:
        apply_schema(own)
        engine = create_engine(url(own))
        with Session(engine, twophase=True) as session:

            @event.listens_for(session, "before_commit")
            def late(session: Session) -> None:
                outbox.emit(session, message("Late"))

            outbox.emit(session, message("Real"))
            session.prepare()
            with pytest.raises(NoTransactionError, match="prepare"):
                outbox.emit(session, message("Lost"))
            session.commit()
        engine.dispose()
        assert Stored(own).names() == ["Real", "Late"]


def test_after_a_failed_flush(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session:
        session.add(Cluster(name=None))
        with pytest.raises(Exception, match="null value"):
            session.flush()
        session.rollback()
        outbox.emit(session, message("Real"))
        session.commit()
    assert stored.names() == ["Real"]


AUTOCOMMIT: dict[str, Callable[[Engine], Engine]] = {
    "an option of the engine": lambda engine: engine.execution_options(
        isolation_level="AUTOCOMMIT"
    ),
    "an argument of the engine": lambda engine: create_engine(
        engine.url, isolation_level="AUTOCOMMIT"
    ),
}


@pytest.mark.parametrize("made", AUTOCOMMIT.values(), ids=AUTOCOMMIT)
def test_autocommit_is_refused_at_the_first_emit(
    made: Callable[[Engine], Engine],
    engine: Engine,
    tracking: Outbox,
    database: Database,
) -> None:
    careless = made(engine)
    with Session(careless) as session:
        with pytest.raises(NoTransactionError, match="autocommit"):
            tracking.emit(session, message("Lost"))
        session.add(Cluster(name="c"))
        with pytest.raises(NoTransactionError, match="autocommit"):
            session.commit()
    careless.dispose()
    with database.connect() as owner:
        assert owner.execute("SELECT count(*) FROM clusters").fetchone() == (0,)


def test_autocommit_of_the_engine_that_the_outbox_is_bound_to_is_refused(
    engine: Engine, outbox: Outbox
) -> None:
    with Session(engine) as session:
        session.bind_table(tables.outbox, engine.execution_options(isolation_level="AUTOCOMMIT"))
        with pytest.raises(NoTransactionError, match="autocommit"):
            outbox.emit(session, message("Lost"))


def test_autocommit_of_the_driver_is_refused_before_the_change(
    service_database: Database, outbox: Outbox, database: Database
) -> None:
    careless = create_engine(url(service_database), connect_args={"autocommit": True})
    with Session(careless) as session:
        outbox.emit(session, message("Lost"))
        session.add(Cluster(name="c"))
        with pytest.raises(NoTransactionError, match="autocommit"):
            session.commit()
    careless.dispose()
    with database.connect() as owner:
        assert owner.execute("SELECT count(*) FROM clusters").fetchone() == (0,)


def test_autocommit_in_a_pipeline(database: Database, outbox: Outbox, stored: Stored) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection, connection.pipeline():
        with pytest.raises(NoTransactionError, match="autocommit"):
            outbox.emit(connection, message("Lost"))
        # What was sent is not answered yet: in a transaction or not, nobody can tell.
        connection.execute("SELECT 1")
        with pytest.raises(NoTransactionError, match="autocommit"):
            outbox.emit(connection, message("Lost, too"))
        with connection.transaction():
            outbox.emit(connection, message("Real"))
    assert stored.names() == ["Real"]


def test_savepoints_of_the_driver(engine: Engine, outbox: Outbox, stored: Stored) -> None:
    with Session(engine) as session:
        connection = session.connection()
        outbox.emit(session, message("Before"))
        connection.exec_driver_sql('/* mine */ SAVEPOINT "A b"')
        outbox.emit(session, message("Phantom"))
        connection.exec_driver_sql('ROLLBACK TO "A b"')
        connection.exec_driver_sql("SAVEPOINT a")
        connection.exec_driver_sql("SAVEPOINT A")
        outbox.emit(session, message("Phantom of the second, that was released"))
        connection.exec_driver_sql("RELEASE SAVEPOINT a")
        connection.exec_driver_sql("ROLLBACK WORK TO SAVEPOINT a")
        outbox.emit(session, message("After"))
        session.commit()
    assert stored.names() == ["Before", "After"]


def test_a_transaction_that_ends_in_plain_sql(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        outbox.emit(session, message("Phantom"))
        session.connection().exec_driver_sql("ROLLBACK")
        outbox.emit(session, message("Real"))
        session.execute(text("COMMIT"))
        session.rollback()
    assert stored.names() == ["Real"]


def test_a_transaction_block_of_psycopg_below_a_session(
    engine: Engine, outbox: Outbox, stored: Stored
) -> None:
    with Session(engine) as session:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        outbox.emit(session, message("Before"))
        refused = pytest.raises(NoTransactionError, match="begin_nested")
        with driver.transaction(force_rollback=True), refused:
            outbox.emit(session, message("Phantom"))
        outbox.emit(session, message("After"))
        session.commit()
    assert stored.names() == ["Before", "After"]


@pytest.mark.usefixtures("tracking")
def test_a_flush_within_such_a_block(engine: Engine, stored: Stored) -> None:
    with Session(engine) as session:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        session.add(Host(name="phantom"))
        # psycopg does not let the session roll back either, and says so.
        refused = pytest.raises(ProgrammingError, match="forbidden within a Transaction")
        with driver.transaction(force_rollback=True), refused:
            session.flush()
        session.rollback()
        session.commit()
    assert stored.outbox() == []


async def test_a_transaction_block_of_psycopg_below_an_asynchronous_session(
    service_database: Database, outbox: Outbox, stored: Stored
) -> None:
    engine = create_async_engine(url(service_database))
    async with AsyncSession(engine) as session:
        raw = await (await session.connection()).get_raw_connection()
        driver = raw.driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)
        async with driver.transaction(force_rollback=True):
            with pytest.raises(NoTransactionError, match="begin_nested"):
                outbox.emit(session, message("Phantom"))
        outbox.emit(session, message("Real"))
        await session.commit()
    await engine.dispose()
    assert stored.names() == ["Real"]
