"""One open transaction of each kind of writer that takes snapshots, over the same two tables."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from sqlalchemy import ForeignKey, MetaData, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay import Event, Message, Outbox
from relay.operations.triggers import TrackedTable
from tests.service.django.in_process import django_connection
from tests.service.transactions import (
    OPTIONS,
    Savepoint,
    async_engine,
    saved_by,
    writer_engine,
)
from tests.support.postgres import Database

TABLES = """
CREATE TABLE things (
    id     integer PRIMARY KEY,
    name   text NOT NULL,
    size   integer NOT NULL DEFAULT 7,
    secret text NOT NULL DEFAULT 'hunter2',
    beats  integer NOT NULL DEFAULT 0,
    stamp  text NOT NULL DEFAULT 'by a default'
);
CREATE TABLE parts (
    id       integer PRIMARY KEY,
    thing_id integer NOT NULL REFERENCES things ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN NEW.stamp = 'by a trigger'; RETURN NEW; END$$;
CREATE TRIGGER stamp BEFORE UPDATE ON things FOR EACH ROW WHEN (old.size <> new.size)
    EXECUTE FUNCTION stamp();
GRANT ALL ON things, parts TO outbox_writer;
"""
COLUMNS = ("name", "size", "stamp")


class Base(DeclarativeBase):
    metadata = MetaData()


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    size: Mapped[int] = mapped_column(server_default=text("7"))
    secret: Mapped[str] = mapped_column(server_default=text("'hunter2'"), info={"secret": True})
    beats: Mapped[int] = mapped_column(server_default=text("0"))
    stamp: Mapped[str] = mapped_column(server_default=text("'by a default'"))


class Part(Base):
    __tablename__ = "parts"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(
        ForeignKey("things.id", ondelete="CASCADE", onupdate="CASCADE")
    )


@dataclass(frozen=True)
class Things:
    """An open transaction that changes things, and parts of them."""

    add: Callable[[int], Awaitable[None]]
    add_part: Callable[[int, int], Awaitable[None]]
    change: Callable[..., Awaitable[None]]
    """Set columns of the thing, and write it."""
    grow: Callable[[int], Awaitable[None]]
    """Add one to its size, in SQL."""
    delete: Callable[[int], Awaitable[None]]
    bulk: Callable[[], Awaitable[None]]
    """Rename all things by one statement."""
    emit: Callable[[Event | Message], Awaitable[object]]
    savepoint: Savepoint


Opener: TypeAlias = Callable[[Database, Outbox], AbstractAsyncContextManager[Things]]


class OfSession:
    """What a session does."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, number: int) -> None:
        self._session.add(Thing(id=number, name="new"))
        self._session.flush()

    def add_part(self, number: int, thing: int) -> None:
        self._session.add(Part(id=number, thing_id=thing))
        self._session.flush()

    def change(self, number: int, **values: object) -> None:
        thing = self._session.get_one(Thing, number)
        for name, value in values.items():
            setattr(thing, name, value)
        self._session.flush()

    def grow(self, number: int) -> None:
        self._session.get_one(Thing, number).size = Thing.size + 1
        self._session.flush()

    def delete(self, number: int) -> None:
        self._session.delete(self._session.get_one(Thing, number))
        self._session.flush()

    def bulk(self) -> None:
        self._session.execute(update(Thing).values(name="all"))


class OfModels:
    """What models of Django do."""

    def __init__(self) -> None:
        from tests.service.django.fleet import models  # noqa: PLC0415 - it needs settings

        self._thing: Any = models.Thing
        self._part: Any = models.Part

    def add(self, number: int) -> None:
        self._thing.objects.create(id=number, name="new")

    def add_part(self, number: int, thing: int) -> None:
        self._part.objects.create(id=number, thing_id=thing)

    def change(self, number: int, **values: object) -> None:
        thing = self._thing.objects.get(pk=number)
        for name, value in values.items():
            setattr(thing, name, value)
        thing.save()

    def grow(self, number: int) -> None:
        from django.db.models import F  # noqa: PLC0415 - it needs settings

        self.change(number, size=F("size") + 1)

    def delete(self, number: int) -> None:
        self._thing.objects.get(pk=number).delete()

    def bulk(self) -> None:
        self._thing.objects.update(name="all")


class OfStatements:
    """What any program does in SQL."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._execute = connection.execute

    def add(self, number: int) -> None:
        self._execute("INSERT INTO things (id, name) VALUES (%s, 'new')", [number])

    def add_part(self, number: int, thing: int) -> None:
        self._execute("INSERT INTO parts VALUES (%s, %s)", [number, thing])

    def change(self, number: int, **values: object) -> None:
        for name, value in values.items():
            query = sql.SQL("UPDATE things SET {} = %s WHERE id = %s").format(sql.Identifier(name))
            self._execute(query, [value, number])

    def grow(self, number: int) -> None:
        self._execute("UPDATE things SET size = size + 1 WHERE id = %s", [number])

    def delete(self, number: int) -> None:
        self._execute("DELETE FROM things WHERE id = %s", [number])

    def bulk(self) -> None:
        self._execute("UPDATE things SET name = 'all'")


Call: TypeAlias = Callable[..., Awaitable[Any]]


def things(
    work: OfSession | OfModels | OfStatements,
    emit: Callable[[Event | Message], object],
    savepoint: Savepoint,
) -> Things:
    """Return what *work* does, to be awaited."""

    def awaited(call: Callable[..., Any]) -> Call:
        async def run(*given: Any, **values: Any) -> Any:  # noqa: ANN401
            return call(*given, **values)

        return run

    return Things(
        awaited(work.add), awaited(work.add_part), awaited(work.change), awaited(work.grow),
        awaited(work.delete), awaited(work.bulk), awaited(emit), savepoint,
    )  # fmt: skip


@asynccontextmanager
async def session(database: Database, outbox: Outbox) -> AsyncIterator[Things]:
    outbox.track(Thing, exclude=["beats"])
    outbox.track(Part)
    with writer_engine(database) as engine, Session(engine) as opened, opened.begin():
        yield things(
            OfSession(opened),
            lambda item: outbox.emit(opened, item),
            lambda: saved_by(opened.begin_nested),
        )


def async_session(driver: str) -> Opener:
    @asynccontextmanager
    async def opener(database: Database, outbox: Outbox) -> AsyncIterator[Things]:
        outbox.track(Thing, exclude=["beats"])
        outbox.track(Part)
        async with (
            async_engine(database, driver) as engine,
            AsyncSession(engine) as opened,
            opened.begin(),
        ):
            work = OfSession(opened.sync_session)

            def run(call: Callable[..., Any]) -> Call:
                async def within(*given: Any, **values: Any) -> Any:  # noqa: ANN401
                    return await opened.run_sync(lambda _: call(*given, **values))

                return within

            yield Things(
                run(work.add), run(work.add_part), run(work.change), run(work.grow),
                run(work.delete), run(work.bulk), lambda item: outbox.emit_async(opened, item),
                opened.begin_nested,
            )  # fmt: skip

    return opener


@asynccontextmanager
async def django(database: Database, outbox: Outbox) -> AsyncIterator[Things]:
    with django_connection(database) as opened:
        from django.db import transaction  # noqa: PLC0415 - it needs settings

        from tests.service.django.fleet import models  # noqa: PLC0415

        outbox.track(models.Thing, exclude=["beats", "secret"])
        outbox.track(models.Part)
        with transaction.atomic():
            yield things(
                OfModels(),
                lambda item: outbox.emit(opened, item),
                lambda: saved_by(transaction.atomic),
            )


@asynccontextmanager
async def trigger(database: Database, outbox: Outbox) -> AsyncIterator[Things]:
    made = (
        TrackedTable("things", "Thing", key=("id",), columns=COLUMNS),
        TrackedTable("parts", "Part", key=("id",), columns=("thing_id",)),
    )
    with database.connect() as owner:
        for table in made:
            owner.execute(table.create().encode())
        owner.execute("UPDATE outbox_state SET streaming = %s", [outbox.streaming])
    try:
        with psycopg.connect(database.dsn, options=OPTIONS) as opened:
            yield things(
                OfStatements(opened),
                lambda item: outbox.emit(opened, item),
                lambda: saved_by(opened.transaction),
            )
    finally:
        with database.connect() as owner:
            for table in made:
                owner.execute(table.drop().encode())


KINDS: dict[str, dict[str, Opener]] = {
    "session": {
        "session": session,
        "async_session-asyncpg": async_session("asyncpg"),
        "async_session-psycopg": async_session("psycopg"),
    },
    "Django": {"django": django},
    "trigger": {"trigger": trigger},
}
"""Kinds of writers that take snapshots, as docs/writers.md has them, and the openers of each."""
