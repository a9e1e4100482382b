"""Follows the transactions of all sessions, so that each buffer shares its session's fate.

A session's own events do not tell everything: a savepoint of the connection below it fires none of
them. And a session's savepoint which nothing has touched yet does not exist on the connection. So
both levels are listened to.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

from sqlalchemy import Connection, Engine, TextClause, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.sql.expression import (
    ReleaseSavepointClause,
    RollbackToSavepointClause,
    SavepointClause,
)

from relay.service.sqlalchemy.buffer import (
    Buffer,
    ConnectionSavepoint,
    buffer_of,
    existing_buffer,
)
from relay.service.sqlalchemy.connections import join, sessions_of, taken
from relay.service.sqlalchemy.flushes import flush_begins, flush_ended
from relay.service.sqlalchemy.sqltext import Step, transaction_steps

_SAVEPOINTS: Final = (SavepointClause, RollbackToSavepointClause, ReleaseSavepointClause)


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
    event.listen(Engine, "before_cursor_execute", _connection_executes)
    event.listen(Engine, "rollback", _connection_rolls_back)
    event.listen(Engine, "commit", _connection_commits)
    event.listen(Engine, "prepare_twophase", _connection_prepares)


def _session_got_connection(
    session: Session, transaction: SessionTransaction, connection: Connection
) -> None:
    if not transaction.nested:
        join(session, connection)
        if (buffer := existing_buffer(session)) is not None:
            buffer.joined(connection)


def _session_transaction_began(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested and (buffer := existing_buffer(session)) is not None:
        buffer.begin(transaction)


def _session_commits(session: Session) -> None:
    # Fires for the release of a savepoint too, and before the last flush.
    if session.get_nested_transaction() is None:
        session.flush()
        buffer_of(session).write()
    elif (buffer := existing_buffer(session)) is not None:
        # It may be the outermost after all, committing over a savepoint left open.
        buffer.connect()


def _session_committed(session: Session) -> None:
    if (buffer := existing_buffer(session)) is None:
        return
    if (nested := session.get_nested_transaction()) is not None:
        buffer.keep(nested)
    else:
        # What came late, where somebody else's transaction goes on around the session's.
        for connection in taken(session):
            if connection.in_transaction():
                buffer.write_late(connection)


def _session_transaction_ended(session: Session, transaction: SessionTransaction) -> None:
    if (buffer := existing_buffer(session)) is not None:
        if transaction.parent is None:
            buffer.end_all(transaction)
        else:
            buffer.end(transaction)


def _connection_executes(
    connection: Connection,
    _cursor: object,
    statement: str,
    _parameters: object,
    context: ExecutionContext | None,
    _executemany: bool,  # noqa: FBT001
) -> None:
    compiled = context.compiled if context is not None else None
    if compiled is not None and not isinstance(compiled.statement, (TextClause, *_SAVEPOINTS)):
        return
    for step in transaction_steps(statement):
        for buffer in _buffers(connection):
            _follow(buffer, connection, step)


def _follow(buffer: Buffer, connection: Connection, step: Step) -> None:
    scope = ConnectionSavepoint(id(connection), step.savepoint)
    match step.verb:
        case "savepoint":
            buffer.begin(scope)
        case "release":
            buffer.keep(scope)
        case "rollback to":
            buffer.undo(scope)
        case "rollback":
            buffer.clear()
        case "commit":
            buffer.write_late(connection)


def _connection_rolls_back(connection: Connection) -> None:
    for buffer in _buffers(connection):
        buffer.clear()


def _connection_commits(connection: Connection) -> None:
    # What came after before_commit: other listeners may emit there, too.
    for buffer in _buffers(connection):
        buffer.write_late(connection)


def _connection_prepares(connection: Connection, _xid: object) -> None:
    _connection_commits(connection)


def _buffers(connection: Connection) -> Iterator[Buffer]:
    for session in sessions_of(connection):
        if (buffer := existing_buffer(session)) is not None:
            yield buffer
