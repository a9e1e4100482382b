"""Buffer of a session: all that it will write when its transaction commits."""

import weakref
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.orm import Session, SessionTransaction

from relay.errors import NoTransactionError
from relay.service.key_advice import KeyAdvice
from relay.service.records import Emitted, OutboxRecord, batch_of
from relay.service.sqlalchemy.binds import late_connection, outbox_connection
from relay.service.sqlalchemy.connection import require_transaction, write
from relay.service.sqlalchemy.connections import join_all
from relay.service.sqlalchemy.openness import (
    check_bind,
    is_bound,
    open_transaction,
    refuse_hidden_savepoints,
)
from relay.service.sqlalchemy.snapshots import Mark, Told, snapshots

_KEY: Final = "relay.outbox.buffer"


class ConnectionSavepoint(NamedTuple):
    """A savepoint of a connection, by the connection's identity and its own name."""

    connection: int
    name: str

    def shares_connection(self, other: object) -> bool:
        """Tell whether *other* is a savepoint of the same connection."""
        return isinstance(other, ConnectionSavepoint) and other.connection == self.connection


Scope: TypeAlias = SessionTransaction | ConnectionSavepoint


class Buffer:
    """Rows and marks of one session's transaction, in the order in which they came.

    A scope is a savepoint, of the session or of its connection. Undoing one that is not known
    removes everything: it began before the buffer did.
    """

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self._entries: list[Emitted | Mark] = []
        self._scopes: list[tuple[Scope, int]] = []
        self._root: SessionTransaction | None = None
        # Once all was written for the commit: what comes later needs a connection that tells of it.
        self._closing = False
        scope = session.get_nested_transaction()
        while scope is not None:
            self._scopes.insert(0, (scope, 0))
            scope = scope.parent

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, entry: Emitted | Mark) -> None:
        """Keep *entry* until the session's transaction ends.

        Raises:
            NoTransactionError: it could not be written any more, or would not share the fate of
                the service's own change.
        """
        session = self._session()
        if session is None:
            raise NoTransactionError("The session is gone: emit while it is in use.")
        root = open_transaction(session)
        if self._root not in {None, root}:
            self.clear()
        self._root = root
        if isinstance(entry, Mark):
            require_transaction(entry.connection)
        elif not self._entries:
            check_bind(session)
        refuse_hidden_savepoints(session)
        self._entries.append(entry)
        if self._closing:
            self.connect()

    def joined(self, connection: Connection) -> None:
        """Make sure that *connection*, which now takes part, does not commit by itself."""
        session = self._session()
        if session is not None and self._entries and is_bound(session, connection):
            require_transaction(connection)

    def begin(self, scope: Scope) -> None:
        """Remember where *scope* begins."""
        self._scopes.append((scope, len(self._entries)))

    def keep(self, scope: Scope) -> None:
        """Let what came within *scope* belong to what is around it."""
        self._forget(scope, and_itself=True)

    def undo(self, scope: Scope) -> None:
        """Remove what came within *scope*, which may go on and be undone again."""
        begun = [place for known, place in self._scopes if known == scope]
        del self._entries[begun[-1] if begun else 0 :]
        self._forget(scope, and_itself=False)

    def end(self, scope: Scope) -> None:
        """Remove what came within *scope*, unless it was kept."""
        if any(known == scope for known, _ in self._scopes):
            self.undo(scope)
            self.keep(scope)

    def end_all(self, root: SessionTransaction) -> None:
        """Forget everything of the transaction *root*, which is over."""
        if self._root in {None, root}:
            self.clear()

    def clear(self) -> None:
        """Forget everything: the transaction is over."""
        self._entries.clear()
        self._scopes.clear()
        self._root = None
        self._closing = False

    def _forget(self, scope: Scope, *, and_itself: bool) -> None:
        """Forget the last beginning of *scope*, and what its connection began within it."""
        places = [place for place, (known, _) in enumerate(self._scopes) if known == scope]
        if not places:
            return
        within = self._scopes[places[-1] + 1 :]
        if isinstance(scope, ConnectionSavepoint):
            within = [begun for begun in within if not scope.shares_connection(begun[0])]
        self._scopes[places[-1] + (not and_itself) :] = within

    def connect(self) -> None:
        """Let the outbox's connection take part in the transaction, so that we see its commit."""
        session = self._session()
        if session is not None and self._entries:
            outbox_connection(session, self._flushed())

    def write(self) -> None:
        """Write what there is, through the connections of the flush: the commit has begun."""
        session = self._session()
        if session is not None and self._entries:
            self._write(outbox_connection(session, self._flushed()))
        self._closing = True

    def write_late(self, committing: Connection) -> None:
        """Write what came after `write`, while the session commits."""
        session = self._session()
        if session is not None and self._entries:
            self._write(late_connection(session, self._flushed(), committing))

    def _flushed(self) -> Connection | None:
        """Return the first connection that a flush has used."""
        marks = (entry for entry in self._entries if isinstance(entry, Mark))
        return next((mark.connection for mark in marks), None)

    def _write(self, connection: Connection) -> None:
        elsewhere = self._flushed() is not connection
        # One, unless the process has an outbox in each of several schemas.
        for schema in dict.fromkeys(entry.schema for entry in self._entries):
            entries = [entry for entry in self._entries if entry.schema == schema]
            emitted = [entry for entry in entries if isinstance(entry, Emitted)]
            states = defaultdict[Connection, list[OutboxRecord]](list)
            told = snapshots([each for each in entries if isinstance(each, Mark)])
            if emitted and told:
                _advise(told, emitted)
            for each in told:
                states[connection if elsewhere else each.connection].append(each.record)
            batch = batch_of(emitted, states.pop(connection, ()), schema)
            if batch.outbox or batch.events:
                write(connection, batch)
            for source, records in states.items():
                write(source, batch_of((), records, schema))
        self._entries.clear()


def _advise(told: Iterable[Told], emitted: Iterable[Emitted]) -> None:
    advice = KeyAdvice()
    for each in told:
        advice.state(each.entity, each.identity[0], each.record)
    for entry in emitted:
        advice.event(entry)


def buffer_of(session: Session) -> Buffer:
    """Return the buffer of *session*, made where there is none yet."""
    buffer = existing_buffer(session)
    if buffer is None:
        join_all(session)
        buffer = session.info[_KEY] = Buffer(session)
    return buffer


def existing_buffer(session: Session) -> Buffer | None:
    """Return the buffer of *session*; None where nothing was ever emitted."""
    buffer = session.info.get(_KEY)
    return buffer if isinstance(buffer, Buffer) else None
