"""Follows the transactions of all sessions, so that each buffer shares its session's fate.

A session's own events do not tell everything: a savepoint of the connection below it fires none of
them. And a session's savepoint which nothing has touched yet does not exist on the connection. So
both levels are listened to.
"""

import re
from collections.abc import Iterator
from functools import cache

from sqlalchemy import Connection, Engine, TextClause, event
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.sql.expression import SavepointClause

from relay.service.sqlalchemy.buffer import Buffer, existing_buffer
from relay.service.sqlalchemy.connections import join, sessions_of
from relay.service.sqlalchemy.flushes import flush_begins, flush_ended

_SAVEPOINT = re.compile(r"\s*savepoint\s+\"?(\w+)", re.IGNORECASE)
_ROLLBACK_TO = re.compile(
    r"\s*rollback\s+(?:(?:work|transaction)\s+)?to\s+(?:savepoint\s+)?\"?(\w+)", re.IGNORECASE
)


@cache
def follow() -> None:
    """Begin to listen, once in a process, to every session and engine there is or will be."""
    event.listen(Session, "after_begin", _session_got_connection)
    event.listen(Session, "after_transaction_create", _session_transaction_began)
    event.listen(Session, "before_commit", _session_commits)
    event.listen(Session, "after_commit", _session_committed)
    event.listen(Session, "after_transaction_end", _session_transaction_ended)
    event.listen(Session, "before_flush", flush_begins)
    event.listen(Session, "after_flush", flush_ended)
    event.listen(Session, "after_soft_rollback", flush_ended)
    event.listen(Engine, "before_execute", _connection_executes)
    event.listen(Engine, "rollback_savepoint", _connection_rolls_back_to)
    event.listen(Engine, "rollback", _connection_rolls_back)
    event.listen(Engine, "commit", _connection_commits)


def _session_got_connection(
    session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    if not transaction.nested:
        join(session, connection)


def _session_transaction_began(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested and (buffer := existing_buffer(session)) is not None:
        buffer.begin(transaction)


def _session_commits(session: Session) -> None:
    # Fires for the release of a savepoint too, and before the last flush.
    outermost = session.get_nested_transaction() is None
    if outermost:
        session.flush()
    if (buffer := existing_buffer(session)) is not None:
        if outermost:
            buffer.write()
        else:
            # It may be the outermost after all, committing over a savepoint left open.
            buffer.connect()


def _session_committed(session: Session) -> None:
    nested = session.get_nested_transaction()
    if nested is not None and (buffer := existing_buffer(session)) is not None:
        buffer.keep(nested)


def _session_transaction_ended(session: Session, transaction: SessionTransaction) -> None:
    if (buffer := existing_buffer(session)) is not None:
        if transaction.parent is None:
            buffer.clear()
        else:
            buffer.end(transaction)


def _connection_executes(
    connection: Connection,
    statement: object,
    _multiparams: object,
    _params: object,
    _execution_options: object,
) -> None:
    # The event "savepoint" does not know the savepoint's name yet; the statement does.
    if isinstance(statement, SavepointClause):
        _begin(connection, str(statement.ident))
    elif isinstance(statement, TextClause):
        if found := _SAVEPOINT.match(statement.text):
            _begin(connection, found[1])
        elif found := _ROLLBACK_TO.match(statement.text):
            _undo(connection, found[1])


def _connection_rolls_back_to(connection: Connection, name: str, _context: object) -> None:
    _undo(connection, name)


def _connection_rolls_back(connection: Connection) -> None:
    for buffer in _buffers(connection):
        buffer.clear()


def _connection_commits(connection: Connection) -> None:
    # What came after before_commit: other listeners may emit there, too.
    for buffer in _buffers(connection):
        buffer.write_late(connection)


def _begin(connection: Connection, savepoint: str) -> None:
    for buffer in _buffers(connection):
        buffer.begin((id(connection), savepoint))


def _undo(connection: Connection, savepoint: str) -> None:
    for buffer in _buffers(connection):
        buffer.undo((id(connection), savepoint))


def _buffers(connection: Connection) -> Iterator[Buffer]:
    for session in sessions_of(connection):
        if (buffer := existing_buffer(session)) is not None:
            yield buffer
