"""A statement that writes a tracked table without its objects is refused, whoever sends it."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    column,
    delete,
    event,
    insert,
    select,
    table,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from relay import Outbox
from relay.errors import UntrackedWriteError
from tests.support.models import Cluster, Host, InfraEnv
from tests.support.postgres import Database
from tests.support.service import Stored

hosts: Table = Host.__table__  # type: ignore[assignment]

IDS = select(Host.id)

SESSION_WRITES: dict[str, Callable[[Session], Any]] = {
    "update": lambda s: s.execute(update(Host).values(status="x")),
    "update a list": lambda s: s.execute(update(Host), [{"id": s.scalars(IDS).one(), "name": "x"}]),
    "delete": lambda s: s.execute(delete(Host)),
    "insert": lambda s: s.execute(insert(Host), [{"name": "a"}, {"name": "b"}]),
    "query update": lambda s: s.query(Host).update({"status": "x"}),
    "query delete": lambda s: s.query(Host).delete(),
    "bulk_save_objects": lambda s: s.bulk_save_objects([Host()]),
    "bulk_insert_mappings": lambda s: s.bulk_insert_mappings(Host, [{"name": "a"}]),
    "text": lambda s: s.execute(text("UPDATE hosts SET status = 'x'")),
    "quoted text": lambda s: s.execute(text('delete from only public."hosts"')),
    "common table": lambda s: s.execute(
        select(update(Host).values(status="x").returning(Host.id).cte())
    ),
    "connection": lambda s: s.connection().execute(hosts.update().values(status="x")),
    "a table by its name": lambda s: s.execute(
        update(table("hosts", column("status"))).values(status="x")
    ),
    "a table of other metadata": lambda s: s.execute(
        Table("hosts", MetaData(), Column("status", Text), schema="public")
        .update()
        .values(status="x")
    ),
    "an alias": lambda s: s.execute(update(aliased(Host)).values(status="x")),
    "text with a comment": lambda s: s.execute(
        text("UPDATE /* a /* b */ */ hosts SET status = 'x'")
    ),
    "text with a schema": lambda s: s.execute(text("-- x\nUPDATE public . hosts SET name = ''")),
    "text in a common table": lambda s: s.execute(
        select(text("UPDATE hosts SET status = 'x' RETURNING id").columns(Host.id).cte())
    ),
    "text with a name in numbers": lambda s: s.execute(
        text(r"""UPDATE U&"h\006fs\+000074s" SET status = 'x'""")
    ),
    "a second statement": lambda s: s.execute(text("SELECT 1; DELETE FROM hosts")),
    "a block": lambda s: s.execute(text("DO $$ BEGIN DELETE FROM hosts; END $$")),
    "several truncated": lambda s: s.execute(text("TRUNCATE disks, hosts CASCADE")),
    "driver": lambda s: s.connection().exec_driver_sql("TRUNCATE hosts CASCADE"),
}

CONNECTION_WRITES: dict[str, Callable[[Connection], Any]] = {
    "update": lambda c: c.execute(hosts.update().values(status="x")),
    "delete": lambda c: c.execute(hosts.delete()),
    "text": lambda c: c.execute(text("INSERT INTO hosts (name) VALUES ('x')")),
}


@pytest.fixture(autouse=True)
def _one_host(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(Host())


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize("write", SESSION_WRITES.values(), ids=SESSION_WRITES)
def test_through_a_session(write: Callable[[Session], Any], engine: Engine) -> None:
    with Session(engine) as session:
        with pytest.raises(UntrackedWriteError, match="hosts"):
            write(session)
        session.rollback()
        assert session.scalars(select(Host.status)).all() == ["discovering"]


@pytest.mark.usefixtures("tracking")
@pytest.mark.parametrize("write", CONNECTION_WRITES.values(), ids=CONNECTION_WRITES)
def test_through_an_engine(write: Callable[[Connection], Any], engine: Engine) -> None:
    with engine.begin() as connection, pytest.raises(UntrackedWriteError, match="hosts"):
        write(connection)


@pytest.mark.usefixtures("tracking")
def test_after_a_flush_that_found_nothing_to_do_and_one_that_failed(engine: Engine) -> None:
    with Session(engine) as session:
        host = session.scalars(select(Host)).one()
        session.add(host)
        host.status = host.status
        session.flush()
        with pytest.raises(UntrackedWriteError):
            session.execute(update(Host).values(status="x"))
        session.rollback()
        session.add(InfraEnv(id=None, name=None))
        with pytest.raises(Exception, match="null value"):
            session.flush()
        session.rollback()
        with pytest.raises(UntrackedWriteError):
            session.execute(update(Host).values(status="x"))


@pytest.mark.usefixtures("tracking")
def test_reading_and_other_tables_are_not_its_business(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.execute(select(Host).with_for_update())
        session.execute(text("CREATE TEMPORARY TABLE hosts_copy AS SELECT * FROM hosts"))
        session.execute(text("UPDATE hosts_copy SET status = 'x'"))
        session.execute(text("DELETE FROM hosts_copy"))
        session.execute(text("SELECT 'please update hosts now', $$ DELETE FROM hosts $$"))
        session.execute(text("SELECT 1 -- UPDATE hosts"))
        session.execute(text("SELECT id FROM hosts FOR UPDATE OF hosts"))
        session.execute(text("EXPLAIN DELETE FROM hosts"))


def test_a_class_that_names_the_schema_which_the_statement_leaves_out(
    engine: Engine, outbox: Outbox
) -> None:
    class Base(DeclarativeBase):
        pass

    class PublicHost(Base):
        __tablename__ = "hosts"
        __table_args__ = {"schema": "public"}  # noqa: RUF012
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True)

    outbox.track(PublicHost)
    with Session(engine) as session, pytest.raises(UntrackedWriteError, match="hosts"):
        session.execute(text("UPDATE hosts SET status = 'x'"))


@pytest.mark.usefixtures("tracking")
def test_a_table_of_that_name_in_another_schema(engine: Engine, database: Database) -> None:
    with database.connect() as owner:
        owner.execute("CREATE SCHEMA other CREATE TABLE hosts (status text)")
        owner.execute("GRANT ALL ON SCHEMA other TO PUBLIC; GRANT ALL ON other.hosts TO PUBLIC")
    elsewhere = Table("hosts", MetaData(), Column("status", Text), schema="other")
    with Session(engine) as session, session.begin():
        session.execute(elsewhere.insert().values(status="x"))
        session.execute(text("UPDATE other.hosts SET status = 'y'"))
        session.execute(text("SET LOCAL search_path = other, public"))
        with pytest.raises(UntrackedWriteError):
            session.execute(text("UPDATE hosts SET status = 'z'"))


@pytest.mark.usefixtures("tracking")
def test_statements_that_others_send_during_a_flush(engine: Engine) -> None:
    def meddle(_mapper: object, connection: Connection, _target: object) -> None:
        connection.execute(hosts.update().values(status="x"))

    event.listen(Cluster, "after_insert", meddle)
    try:
        with Session(engine) as session:
            session.add(Cluster(name="c"))
            with pytest.raises(UntrackedWriteError, match="hosts"):
                session.flush()
            session.rollback()
            assert session.scalars(select(Host.status)).all() == ["discovering"]
    finally:
        event.remove(Cluster, "after_insert", meddle)


@pytest.mark.usefixtures("tracking")
def test_statements_in_the_form_of_a_flush_after_one_that_failed(engine: Engine) -> None:
    with Session(engine) as session:
        savepoint = session.begin_nested()
        session.add(Host(name="h", cluster_id=uuid.uuid4()))
        with pytest.raises(IntegrityError):
            session.flush()
        savepoint.rollback()
        with pytest.raises(UntrackedWriteError):
            session.bulk_insert_mappings(Host, [{"name": "a"}])


def test_a_statement_may_pass_on_request(engine: Engine, tracking: Outbox, stored: Stored) -> None:
    with Session(engine) as session, session.begin():
        session.execute(update(Host).values(stage="a"), execution_options={"relay_untracked": True})
        with tracking.untracked():
            session.bulk_save_objects([Host(name="bulk")])
            session.execute(text("UPDATE hosts SET status = 'x'"))
        tracking.snapshot(session, Host, *session.scalars(select(Host.id)))
        with pytest.raises(UntrackedWriteError):
            session.execute(delete(Host))
    assert sorted(
        (host["name"], host["stage"], host["status"]) for host in stored.payloads("Host")
    ) == [
        ("bulk", None, "x"),
        ("host", "a", "x"),
    ]


def test_also_while_streaming_is_off(engine: Engine, make_outbox: Callable[..., Outbox]) -> None:
    make_outbox(streaming=False).track(Host)
    with Session(engine) as session, pytest.raises(UntrackedWriteError):
        session.execute(update(Host).values(status="x"))


def test_until_the_outbox_is_closed(engine: Engine, tracking: Outbox, stored: Stored) -> None:
    tracking.close()
    with Session(engine) as session, session.begin():
        session.execute(update(Host).values(status="x"))
        session.add(Cluster(name="c"))
    assert stored.outbox() == []
