"""Current states of tracked classes, back on the stream."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from relay.database.connection import BoundedConnection
from relay.database.queries import SEARCH_PATH
from relay.service.replay import LOCK_TIMEOUT, StatePage, is_about
from relay.service.sqlalchemy.buffer import buffer_of
from relay.service.sqlalchemy.rows import Identity
from relay.service.sqlalchemy.snapshots import Change, Mark
from relay.service.sqlalchemy.tracked import Tracked


def state_pages(
    connection: psycopg.Connection[Any],
    classes: Sequence[Tracked],
    cluster: UUID | None,
    rows: int,
) -> Iterator[StatePage]:
    """Yield the states of *classes* that belong to *cluster*, or all, about *rows* at a time."""
    with _engine_over(connection) as engine:
        for tracked in classes:
            for identities in _identities(engine, tracked, cluster, rows):
                publish = partial(_publish, engine, tracked, identities)
                yield StatePage(tracked.form.name, len(identities), publish)


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise psycopg's own errors: SQLAlchemy's quote parameters, and so payloads."""
    try:
        yield
    except DBAPIError as error:
        raise (error.orig or error) from None


@contextmanager
def _engine_over(connection: psycopg.Connection[Any]) -> Iterator[Engine]:
    """Yield an engine whose one connection is *connection*."""
    autocommit = connection.autocommit
    connection.autocommit = False
    try:
        with _driver_errors():
            engine = create_engine(
                "postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool
            )
            if isinstance(connection, BoundedConnection) and (path := connection.search_path()):
                event.listen(
                    engine,
                    "begin",
                    lambda each: each.exec_driver_sql(SEARCH_PATH, {"search_path": path}),
                )
            yield engine
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = autocommit


def _identities(
    engine: Engine, tracked: Tracked, cluster: UUID | None, rows: int
) -> Iterator[list[Identity]]:
    with engine.connect() as reader:
        for states in tracked.rows.pages(reader, rows):
            # Ends the reading transaction: the next one on this connection is the session's.
            reader.rollback()
            yield [
                tracked.rows.identity(state)
                for state in states
                if is_about(tracked.snapshot(state), cluster)
            ]


def _publish(engine: Engine, tracked: Tracked, identities: Sequence[Identity]) -> None:
    """Publish these rows again, each locked FOR SHARE."""
    with _driver_errors(), Session(engine) as session, session.begin():
        connection = session.connection()
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        for identity in identities:
            buffer_of(session).add(Mark(tracked, identity, connection, Change.REPLAYED))
