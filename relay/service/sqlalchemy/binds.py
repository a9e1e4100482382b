"""Connections that a transaction writes through, also where a session routes what it reads."""

from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, update
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Mapper, Session

from relay.errors import NoTransactionError
from relay.service.sqlalchemy.connections import taken
from relay.service.sqlalchemy.tables import outbox

_OUTBOX: Final = outbox.update()
# Nobody can bind this one, so it goes where a session sends all that it knows nothing of.
_UNKNOWN: Final = Table("outbox_unbound", MetaData(), Column("id", Integer)).update()


def outbox_connection(session: Session, flushed: Connection | None) -> Connection:
    """Return the connection for the outbox.

    That is the one to which the service bound the outbox table, else that of the flush, else the
    one that a flush would take.

    Raises:
        NoTransactionError: none is known.
    """
    bound, default = _bind(session, clause=_OUTBOX), _bind(session, clause=_UNKNOWN)
    if bound is not None and (bound is not default or flushed is None):
        return session.connection(bind_arguments={"bind": bound})
    found = flushed or next(taken(session), None)
    if found is None:
        raise NoTransactionError(
            "This session has no engine for the outbox: give it a bind, or call "
            "session.bind_table(relay.service.sqlalchemy.tables.outbox, engine)."
        )
    return found


def late_connection(
    session: Session, flushed: Connection | None, committing: Connection
) -> Connection:
    """Return the same while *session* commits, when it takes no further connection."""
    bound, default = _bind(session, clause=_OUTBOX), _bind(session, clause=_UNKNOWN)
    if bound is not None and (bound is not default or flushed is None):
        for connection in taken(session):
            if connection is bound or connection.engine is bound:
                return connection
    return flushed or committing


def outbox_bind(session: Session) -> Engine | Connection | None:
    """Return what a flush of the outbox table would go to; None where nothing is known."""
    return _bind(session, clause=_OUTBOX)


def connection_of(session: Session, mapper: Mapper[Any]) -> Connection:
    """Return the connection through which *session* would flush objects of *mapper*."""
    bound = _bind(session, mapper=mapper, clause=update(mapper.class_))
    return session.connection(bind_arguments={"bind": bound} if bound is not None else {})


def _bind(session: Session, **arguments: Any) -> Engine | Connection | None:  # noqa: ANN401
    # Sessions that route by this flag do so after SQLAlchemy's own documentation.
    flushing, session._flushing = session._flushing, True  # noqa: SLF001
    try:
        return session.get_bind(**arguments)
    except UnboundExecutionError:
        return None
    finally:
        session._flushing = flushing  # noqa: SLF001
