"""Flushes: which session works on a connection at this moment, and which statements are its own."""

from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.orm import Mapper, Session, UOWTransaction

from relay.service.sqlalchemy.connections import join_all, sessions_of

_FLUSH: Final = "relay.outbox.flush"


def flush_begins(session: Session, flush: UOWTransaction, _objects: object) -> None:
    """Remember the flush of *session*."""
    join_all(session)
    session.info[_FLUSH] = flush


def flush_ended(session: Session, _context: object) -> None:
    """Forget the flush of *session*."""
    session.info.pop(_FLUSH, None)


def flushing_session(connection: Connection) -> Session | None:
    """Return the session that flushes through *connection*; None where none does."""
    for session in sessions_of(connection):
        flush: UOWTransaction | None = session.info.get(_FLUSH)
        # A flush that found nothing to do never ends.
        if flush is not None and flush.has_work:
            return session
    return None


def is_own_statement(context: ExecutionContext, mapper: Mapper[Any]) -> bool:
    """Tell whether a flush makes this statement for objects of *mapper*.

    Statements that others send meanwhile, from events or for a relationship's `secondary`, come
    without the mapper's own cache.
    """
    cache = context.execution_options.get("compiled_cache")
    return cache is not None and cache is mapper.base_mapper._compiled_cache  # noqa: SLF001


def is_of_objects(context: ExecutionContext, connection: Connection) -> bool:
    """Tell whether a flush makes this statement for objects of any mapper."""
    session = flushing_session(connection)
    if session is None:
        return False
    flush: UOWTransaction = session.info[_FLUSH]
    return any(is_own_statement(context, mapper) for mapper in flush.mappers)
