"""The connections that sessions work on: a connection's own events don't name its sessions."""

import weakref
from collections.abc import Iterator

from sqlalchemy import Connection
from sqlalchemy.orm import Session

_sessions: weakref.WeakKeyDictionary[Connection, weakref.WeakSet[Session]] = (
    weakref.WeakKeyDictionary()
)


def sessions_of(connection: Connection) -> Iterator[Session]:
    """Yield the sessions that work on *connection*."""
    yield from _sessions.get(connection, ())


def join(session: Session, connection: Connection) -> None:
    """Remember that *session* works on *connection*."""
    _sessions.setdefault(connection, weakref.WeakSet()).add(session)


def taken(session: Session) -> Iterator[Connection]:
    """Yield the connections that take part in the transaction of *session*."""
    transaction = session.get_transaction()
    # No event and no public call tells of them without taking one more.
    connections = transaction._connections if transaction is not None else ()  # noqa: SLF001
    for connection in connections:
        if isinstance(connection, Connection):
            yield connection


def join_all(session: Session) -> None:
    """Remember the connections that *session* took before anybody listened to it."""
    for connection in taken(session):
        join(session, connection)
