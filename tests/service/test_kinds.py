"""A service pays for the libraries that it uses, and for no other."""

import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from textwrap import dedent
from types import ModuleType
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import RowFactory, dict_row, scalar_row

from relay import Message, Outbox
from relay.errors import EventDefinitionError
from relay.service import kinds
from relay.service.composer import Composer
from relay.service.kinds import async_writer_for, writer_for
from relay.service.records import Emitted
from relay.service.replay import StatePage
from relay.service.writer import Kind, TrackOptions
from tests.support.postgres import Database
from tests.support.service import Stored

WITHOUT = """
    import sys
    for library in {libraries}:
        sys.modules[library] = None
"""


def run(program: str, *arguments: str, without: tuple[str, ...] = ()) -> None:
    text = dedent(WITHOUT.format(libraries=without)) + dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.processes
def test_without_sqlalchemy_a_service_writes_through_psycopg(
    database: Database, stored: Stored
) -> None:
    program = """
        import psycopg
        import relay.service.message, relay.service.composer, relay.service.psycopg.kind
        from relay import Event, Message, Outbox, Severity

        class Done(Event, severity=Severity.INFO, message="Done"):
            pass

        outbox = Outbox(streaming=True)
        with psycopg.connect(sys.argv[1]) as connection:
            outbox.emit(connection, Message("Plain", {}))
            outbox.emit(connection, Done(cluster_id="0c1ab1e0-0000-4000-8000-000000000001"))
        try:
            outbox.track(Done)
        except TypeError as error:
            assert "no mapped class" in str(error)
        else:
            raise AssertionError
        outbox.close()
        """
    run(program, database.dsn, without=("sqlalchemy", "confluent_kafka"))
    assert stored.names() == ["Plain", "Done"]


@pytest.mark.processes
def test_a_library_that_the_service_does_not_use_is_not_imported(database: Database) -> None:
    program = """
        import psycopg, sys
        from relay import Message, Outbox
        with psycopg.connect(sys.argv[1]) as connection:
            Outbox(streaming=True).emit(connection, Message("Plain", {}))
        assert "sqlalchemy" not in sys.modules
        """
    run(program, database.dsn)


@pytest.mark.processes
def test_a_session_older_than_the_library_is_known_is_followed_all_the_same(
    database: Database, stored: Stored
) -> None:
    program = """
        import sys
        from relay import Message, Outbox
        outbox = Outbox(streaming=True)
        from sqlalchemy import create_engine, text
        from sqlalchemy.orm import Session
        import psycopg
        connect = lambda: psycopg.connect(sys.argv[1])
        engine = create_engine("postgresql+psycopg://", creator=connect)
        with Session(engine) as session, session.begin():
            session.execute(text("SELECT 1"))
            outbox.emit(session, Message("Kept", {}))
            savepoint = session.connection().begin_nested()
            outbox.emit(session, Message("Phantom", {}))
            savepoint.rollback()
        """
    run(program, database.dsn)
    assert stored.names() == ["Kept"]


class Ledger:
    """A target, and a class to track, of a library that nobody has heard of."""


class LedgerWriter:
    def __init__(self) -> None:
        self.written: list[Emitted] = []

    def accepts(self, target: object) -> bool:
        return isinstance(target, Ledger)

    def write(self, target: Ledger, emitted: Emitted) -> None:
        del target
        self.written.append(emitted)


class LedgerTracking:
    def __init__(self, composer: Composer) -> None:
        self.composer = composer
        self.marked: list[object] = []
        self.options: TrackOptions | None = None

    def accepts(self, entity: object) -> bool:
        return entity is Ledger

    def track(self, _entity: type, options: TrackOptions) -> None:
        self.options = options

    def tracks(self, entity: object) -> bool:
        return self.options is not None and entity is Ledger

    def mark(
        self, target: object, _entity: type, identities: Collection[object], *, replayed: bool
    ) -> None:
        self.marked.append((target, tuple(identities), replayed))

    def untracked(self) -> AbstractContextManager[None]:
        return nullcontext()

    def pages(
        self, connection: psycopg.Connection[Any], _cluster: UUID | None, rows: int
    ) -> Iterator[StatePage]:
        yield StatePage(str(connection), rows, self.close)

    def close(self) -> None:
        self.options = None


def test_a_new_kind_is_a_folder_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    writer, trackings = LedgerWriter(), list[LedgerTracking]()

    def tracking(composer: Composer) -> LedgerTracking:
        trackings.append(LedgerTracking(composer))
        return trackings[-1]

    room = ModuleType("room_of_ledgers")
    vars(room)["KIND"] = Kind(writers=(writer,), tracking=tracking)
    monkeypatch.setitem(sys.modules, "room_of_ledgers", room)
    monkeypatch.setitem(sys.modules, "ledgers", ModuleType("ledgers"))
    monkeypatch.setattr(kinds, "ROOMS", {**kinds.ROOMS, "ledgers": "room_of_ledgers"})
    outbox: Any = Outbox(streaming=True)
    ledger = Ledger()
    outbox.emit(ledger, Message("Plain", {}))
    assert [emitted.outbox.name for emitted in writer.written if emitted.outbox] == ["Plain"]
    outbox.track(Ledger, key="id", exclude=["pages"])
    outbox.snapshot(ledger, Ledger, 1, 2)
    outbox.replay(ledger, Ledger, 3)
    (found,) = trackings
    assert found.options == TrackOptions(key="id", exclude=["pages"])
    assert found.marked == [(ledger, (1, 2), False), (ledger, (3,), True)]
    there: Any = "there"
    assert [page.name for page in outbox.state_pages(there, None, 5)] == ["there"]
    outbox.close()
    with pytest.raises(EventDefinitionError, match="Ledger is not tracked"):
        outbox.snapshot(ledger, Ledger, 1)


@pytest.mark.parametrize("target", [None, object(), "session", 1])
def test_no_writer_takes_what_is_no_target(target: object) -> None:
    assert writer_for(target) is None
    assert async_writer_for(target) is None


@pytest.mark.parametrize("rows", [dict_row, scalar_row])
def test_a_row_factory_of_the_connection_is_the_services_own(
    database: Database, outbox: Outbox, stored: Stored, rows: RowFactory[object]
) -> None:
    with psycopg.connect(database.dsn, row_factory=rows) as connection:
        outbox.emit(connection, Message("Plain", {}), key="k", ordered=True)
    assert stored.names() == ["Plain"]
