"""An UPDATE returns the row that it wrote: no second look at it, unless something else wrote it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import Outbox
from tests.support.models import Cluster, Host, HostStatusUpdated
from tests.support.postgres import Database
from tests.support.service import WRITER, Stored, url


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Yield the first word of each statement that *engine* sends meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement.split(maxsplit=1)[0])

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def change(engine: Engine, host: uuid.UUID, *also: Callable[[Session], object]) -> None:
    with Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        found.status, found.name = "known", f"{found.name}!"
        session.flush()
        for each in also:
            each(session)


@pytest.mark.usefixtures("tracking")
def test_nothing_is_read_again(engine: Engine, host: uuid.UUID, stored: Stored) -> None:
    change(engine, host)
    with statements(engine) as sent, Session(engine) as session, session.begin():
        found = session.get_one(Host, host)
        found.stage = "x"
        session.flush()
        found.inventory = {"cpus": 2}
    assert sent == ["SELECT", "UPDATE", "UPDATE", "INSERT"]
    first, second = stored.payloads("Host")
    assert (first["status"], first["stage"]) == ("known", None)
    assert (second["stage"], second["inventory"]) == ("x", {"cpus": 2})


@pytest.mark.usefixtures("tracking")
def test_the_same_as_what_is_read(
    engine: Engine, tracking: Outbox, host: uuid.UUID, stored: Stored
) -> None:
    change(engine, host)
    with Session(engine) as session, session.begin():
        tracking.snapshot(session, Host, host)
    returned, read = stored.payloads("Host")
    assert returned == read


RAISE = "UPDATE hosts SET stage = 'raised' WHERE stage IS NULL"
FUNCTION = f"CREATE FUNCTION {{}} LANGUAGE plpgsql AS $$ BEGIN {RAISE}; RETURN NULL; END $$"
TRIGGER = FUNCTION.format("raise() RETURNS trigger") + (
    "; CREATE TRIGGER raise AFTER UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION raise()"
)


def driver(session: Session) -> None:
    connection: Any = session.connection().connection.driver_connection
    connection.execute(RAISE)


LATER: dict[str, tuple[str, Callable[[Session], object]]] = {
    "raw cursor": ("SELECT", driver),
    "function": (
        FUNCTION.format("raise() RETURNS int"),
        lambda session: session.execute(text("SELECT raise()")),
    ),
    "trigger": (TRIGGER.format("hosts"), lambda _: None),
    "trigger of another table": (
        TRIGGER.format("clusters"),
        lambda session: session.execute(text("UPDATE clusters SET name = 'd'")),
    ),
}


@pytest.mark.parametrize("way", LATER)
def test_what_something_else_writes_after_the_flush_is_read(
    way: str,
    service_database: Database,
    engine: Engine,
    service_outbox: Outbox,
    host: uuid.UUID,
    cluster: uuid.UUID,
    stored: Stored,
) -> None:
    made, later = LATER[way]
    with service_database.connect() as owner:
        owner.execute(made.encode())
    service_outbox.track(Host)

    def emit(session: Session) -> None:
        told = HostStatusUpdated(cluster_id=cluster, host_name="h", old="a", new="known")
        service_outbox.emit(session, told)

    change(engine, host, emit, later)
    assert stored.names() == ["Host", "HostStatusUpdated"]
    (snapshot,) = stored.payloads("Host")
    assert (snapshot["status"], snapshot["stage"]) == ("known", "raised")
    assert len(stored.events()) == 1


@pytest.mark.usefixtures("tracking")
def test_a_savepoint_that_rolled_back_leaves_the_row_before_it(
    engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    def undo(session: Session) -> None:
        with session.begin_nested() as savepoint:
            session.get_one(Host, host).status = "phantom"
            session.flush()
            savepoint.rollback()

    with statements(engine) as sent:
        change(engine, host, undo)
    assert sent.count("SELECT") == 2  # of the session, and one for the kind of the table
    assert [snapshot["status"] for snapshot in stored.payloads("Host")] == ["known"]


@pytest.mark.usefixtures("tracking")
def test_two_rows_are_read(
    engine: Engine, host: uuid.UUID, cluster: uuid.UUID, stored: Stored
) -> None:
    change(
        engine, host, lambda session: setattr(session.get_one(Cluster, cluster), "status", "ready")
    )
    assert stored.payloads("Host")[0]["status"] == "known"
    assert stored.payloads("ClusterState")[0]["status"] == "ready"


VIEW = (
    "ALTER TABLE hosts RENAME TO old_hosts; CREATE VIEW hosts AS SELECT * FROM old_hosts;"
    f" GRANT ALL ON hosts TO {WRITER}"
)
COLUMNS = "id, cluster_id, infra_env_id, name, status, stage, inventory, updated_at"
KINDS = {
    "rule": "CREATE RULE quiet AS ON UPDATE TO hosts WHERE false DO INSTEAD NOTHING",
    "grants on columns": (
        f"REVOKE ALL ON hosts FROM {WRITER}; GRANT SELECT ({COLUMNS}), UPDATE ON hosts TO {WRITER}"
    ),
    "view": VIEW,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("tracking")
def test_tables_that_cannot_return_a_place_are_read(
    kind: str, service_database: Database, engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    with service_database.connect() as owner:
        owner.execute(KINDS[kind].encode())
    change(engine, host)
    assert [snapshot["status"] for snapshot in stored.payloads("Host")] == ["known"]


@pytest.mark.usefixtures("tracking")
def test_a_table_that_becomes_a_view_costs_one_transaction(
    service_database: Database, engine: Engine, host: uuid.UUID, stored: Stored
) -> None:
    change(engine, host)
    with service_database.connect() as owner:
        owner.execute(VIEW.encode())
    with pytest.raises(ProgrammingError, match="ctid"):
        change(engine, host)
    change(engine, host)
    assert len(stored.payloads("Host")) == 2


class Base(DeclarativeBase):
    pass


class Odd(Base):
    """A row whose names must be quoted."""

    __tablename__ = "odd:table %s"

    id: Mapped[int] = mapped_column("the:id", primary_key=True)
    value: Mapped[str] = mapped_column('a "%" (value)')


class Named(Base):
    """The same, less the colon, which SQLAlchemy's texts take for a parameter."""

    __tablename__ = "Named %s"

    id: Mapped[int] = mapped_column("the %(id)s", primary_key=True)
    value: Mapped[str] = mapped_column('a "%" (value)')


@pytest.mark.parametrize("entity", [Odd, Named])
def test_names_that_must_be_quoted(
    entity: type[Odd | Named], database: Database, service_outbox: Outbox, stored: Stored
) -> None:
    service_outbox.track(entity)
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(entity(id=1, value="a"))
    with Session(engine) as session, session.begin():
        found: Any = session.get_one(entity, 1)
        found.value = "b"
    engine.dispose()
    assert [row["payload"]["value"] for row in stored.outbox()] == ["a", "b"]
