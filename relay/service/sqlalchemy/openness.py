"""Checks of a session at the moment when something is emitted: can it still be written?"""

from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction

from relay.errors import NoTransactionError
from relay.service.sqlalchemy.binds import outbox_bind
from relay.service.sqlalchemy.connection import AUTOCOMMIT, require_transaction
from relay.service.sqlalchemy.connections import taken


def open_transaction(session: Session) -> SessionTransaction:
    """Return the outermost transaction of *session*, begun where it begins by itself.

    Raises:
        NoTransactionError: there is none, or it is ending.
    """
    root = session.get_transaction()
    if root is None:
        # Without a transaction nothing would tell us when a session is closed unused.
        if not session.autobegin:
            raise NoTransactionError(
                "This session has autobegin=False and no transaction: call begin() first."
            )
        return session.begin()
    innermost = session.get_nested_transaction() or root
    if not innermost.is_active:
        raise NoTransactionError(
            "The transaction of this session is ending, or was rolled back, so nothing more can "
            "belong to it: emit before commit() or prepare(), in the transaction of the change, "
            "not in a hook such as after_commit; or begin a new transaction."
        )
    return root


def check_bind(session: Session) -> None:
    """Make sure that the engine for the outbox does not commit each statement by itself.

    Raises:
        NoTransactionError: it does.
    """
    bound = outbox_bind(session)
    for connection in taken(session):
        if is_bound(session, connection):
            require_transaction(connection)
            return
    if isinstance(bound, Engine):
        dialect: Any = bound.dialect
        levels = {
            bound.get_execution_options().get("isolation_level"),
            # No public call tells of create_engine(isolation_level=…) without a connection.
            dialect._on_connect_isolation_level,  # noqa: SLF001
        }
        if "AUTOCOMMIT" in levels:
            raise NoTransactionError(AUTOCOMMIT)


def is_bound(session: Session, connection: Connection) -> bool:
    """Tell whether *connection* is one for the outbox."""
    bound = outbox_bind(session)
    return bound is None or bound in {connection, connection.engine}


def refuse_hidden_savepoints(session: Session) -> None:
    """Refuse to emit inside of a `transaction()` of psycopg's own, below the session.

    Nothing tells of its rollback, and the session cannot commit within it.

    Raises:
        NoTransactionError: such a block is open.
    """
    for connection in taken(session):
        if getattr(connection.connection.driver_connection, "_num_transactions", 0):
            raise NoTransactionError(
                "A transaction() block of psycopg is open below this session, and its rollback "
                "could not be followed: use session.begin_nested() instead, or emit on the "
                "psycopg connection."
            )
