"""PostgreSQL's refusals of what a service emits say what to do, and quote nothing of the row."""

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from relay import Message, Outbox
from relay.errors import PayloadError, RelayError, SchemaError
from tests.support.postgres import Database
from tests.support.service import url

SECRET = "a value of the customer"
MESSAGE = Message("Told", {"value": SECRET})

Write = Callable[[Outbox, Database], None]


def by_session(outbox: Outbox, database: Database) -> None:
    engine: Engine = create_engine(url(database))
    try:
        with Session(engine) as session, session.begin():
            outbox.emit(session, MESSAGE)
    finally:
        engine.dispose()


def by_connection(outbox: Outbox, database: Database) -> None:
    with psycopg.connect(database.dsn) as connection:
        outbox.emit(connection, MESSAGE)


each_way = pytest.mark.parametrize("write", [by_session, by_connection])


def refused(kind: type[RelayError], write: Write, outbox: Outbox, database: Database) -> str:
    with pytest.raises(kind) as error:
        write(outbox, database)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    return str(error.value)


@each_way
def test_without_tables_it_says_migrate(
    write: Write, service_outbox: Outbox, empty_database: Database
) -> None:
    assert "relay migrate" in refused(SchemaError, write, service_outbox, empty_database)


@each_way
def test_a_rule_of_the_table_is_named(
    write: Write, service_outbox: Outbox, database: Database
) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute("ALTER TABLE outbox ADD CONSTRAINT quiet CHECK (name <> 'Told')")
    assert "quiet" in refused(PayloadError, write, service_outbox, database)
