"""Buffer of a session: all that it will write when its transaction commits."""

import weakref
from collections import defaultdict
from collections.abc import Hashable
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from relay.errors import NoTransactionError
from relay.service.records import Emitted, OutboxRecord, batch_of
from relay.service.sqlalchemy.binds import late_connection, outbox_connection
from relay.service.sqlalchemy.connection import write
from relay.service.sqlalchemy.connections import join_all
from relay.service.sqlalchemy.snapshots import Mark, snapshots

_KEY: Final = "relay.outbox.buffer"


class Buffer:
    """Rows and marks of one session's transaction, in the order in which they came.

    A scope is a savepoint, of the session or of its connection. Undoing one that is not known
    removes everything: it began before the buffer did.
    """

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self._entries: list[Emitted | Mark] = []
        self._beginnings: dict[Hashable, int] = {}
        scope = session.get_nested_transaction()
        while scope is not None:
            self.begin(scope)
            scope = scope.parent

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, entry: Emitted | Mark) -> None:
        """Keep *entry* until the session's transaction ends.

        Raises:
            NoTransactionError: none is begun, and the session does not begin one by itself.
        """
        session = self._session()
        # Without a transaction nothing would tell us when a session is closed unused.
        if session is not None and not session.in_transaction():
            if not session.autobegin:
                raise NoTransactionError(
                    "This session has autobegin=False and no transaction: call begin() first."
                )
            session.begin()
        self._entries.append(entry)

    def begin(self, scope: Hashable) -> None:
        """Remember where *scope* begins."""
        self._beginnings[scope] = len(self._entries)

    def keep(self, scope: Hashable) -> None:
        """Let what came within *scope* belong to what is around it."""
        self._beginnings.pop(scope, None)

    def undo(self, scope: Hashable) -> None:
        """Remove what came within *scope*, which may go on and be undone again."""
        del self._entries[self._beginnings.get(scope, 0) :]

    def end(self, scope: Hashable) -> None:
        """Remove what came within *scope*, unless it was kept."""
        if scope in self._beginnings:
            self.undo(scope)
            self.keep(scope)

    def clear(self) -> None:
        """Forget everything: the transaction is over."""
        self._entries.clear()
        self._beginnings.clear()

    def connect(self) -> None:
        """Let the outbox's connection take part in the transaction, so that we see its commit."""
        session = self._session()
        if session is not None and self._entries:
            outbox_connection(session, self._flushed())

    def write(self) -> None:
        """Write what there is, through the connections of the flush."""
        session = self._session()
        if session is not None and self._entries:
            self._write(outbox_connection(session, self._flushed()))

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
            for source, record in snapshots([each for each in entries if isinstance(each, Mark)]):
                states[connection if elsewhere else source].append(record)
            batch = batch_of(emitted, states.pop(connection, ()), schema)
            if batch.outbox or batch.events:
                write(connection, batch)
            for source, records in states.items():
                write(source, batch_of((), records, schema))
        self._entries.clear()


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
