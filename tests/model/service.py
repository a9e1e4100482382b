"""Services that write through real sessions, and a book of what they meant to say."""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, SessionTransaction, mapped_column

from relay.demo.history import Written
from relay.formats.message import Message
from relay.service.outbox import Outbox

OBJECTS: Final = ("a", "b", "c", "d")


class Base(DeclarativeBase):
    """The service's tables."""


class Box(Base):
    """The object that services change; its version tells its states apart."""

    __tablename__ = "boxes"

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]


@dataclass
class Said:
    """What a transaction will have said, should it commit."""

    locked: set[str] = field(default_factory=set)
    states: dict[str, int] = field(default_factory=dict)
    early: list[tuple[str, int]] = field(default_factory=list)
    late: list[tuple[str, int]] = field(default_factory=list)
    poison: set[int] = field(default_factory=set)


class Book:
    """What was committed, in the order of each key. A poison row is never to be published."""

    def __init__(self) -> None:
        self.committed: dict[Hashable, Written] = {}
        self.poison: set[Hashable] = set()
        self._length: defaultdict[str, int] = defaultdict(int)

    def commit(self, said: Said) -> None:
        """Note a transaction that has committed: its late part begins with the states."""
        self._note_events(said.early, said.poison)
        for key, version in said.states.items():
            self._note(("state", key, version), key)
        self._note_events(said.late, said.poison)

    def _note_events(self, events: Sequence[tuple[str, int]], poison: Container[int]) -> None:
        for key, number in events:
            if number in poison:
                self.poison.add(("event", key, number))
            else:
                self._note(("event", key, number), key)

    def _note(self, what: Hashable, key: str) -> None:
        self._length[key] += 1
        self.committed[what] = Written(self._length[key], what, key)


class Service:
    """One session at work. It speaks of an object only while it holds its lock."""

    def __init__(self, engine: Engine, outbox: Outbox, book: Book, numbers: Iterator[int]) -> None:
        self._engine = engine
        self._outbox = outbox
        self._book = book
        self._numbers = numbers
        self._session: Session | None = None
        self._savepoints: list[tuple[SessionTransaction, Said]] = []
        self.said = Said()

    @property
    def writing(self) -> bool:
        """Whether a transaction is open."""
        return self._session is not None

    @property
    def savepoints(self) -> int:
        """How many savepoints are open."""
        return len(self._savepoints)

    def change(self, key: str) -> None:
        """Lock an object and change it."""
        box = self._open().get_one(Box, key, with_for_update=True)
        box.version = self.said.states[key] = next(self._numbers)
        self._open().flush()
        self.said.locked.add(key)

    def emit(self, key: str, *, early: bool, poison: bool) -> None:
        """Tell an event about an object that is locked: at once if *early*, else at the commit."""
        number = next(self._numbers)
        payload = {"event": number} | ({"poison": True} if poison else {})
        session = self._open()
        target = session.connection() if early else session
        self._outbox.emit(target, Message("Event", payload, key=key))
        (self.said.early if early else self.said.late).append((key, number))
        if poison:
            self.said.poison.add(number)

    def begin_savepoint(self) -> None:
        """Begin a nested transaction."""
        self._savepoints.append((self._open().begin_nested(), deepcopy(self.said)))

    def end_savepoint(self, *, keep: bool) -> None:
        """Release the innermost savepoint, or go back to it."""
        nested, before = self._savepoints.pop()
        if keep:
            nested.commit()
        else:
            nested.rollback()
            self.said = before

    def end(self, *, keep: bool) -> None:
        """Commit, or roll back."""
        session = self._open()
        if keep:
            session.commit()
            self._book.commit(self.said)
        session.close()
        self._session, self.said = None, Said()
        self._savepoints.clear()

    def _open(self) -> Session:
        if self._session is None:
            self._session = Session(self._engine)
        return self._session
