"""Current states of tracked classes, back on the stream."""

from collections.abc import Iterator, Sequence
from functools import partial
from uuid import UUID

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from relay.service.replay import LOCK_TIMEOUT, StatePage, is_about
from relay.service.sqlalchemy.buffer import buffer_of
from relay.service.sqlalchemy.rows import Identity
from relay.service.sqlalchemy.snapshots import Mark
from relay.service.sqlalchemy.tracked import Tracked


def state_pages(
    conninfo: str, classes: Sequence[Tracked], cluster: UUID | None, rows: int
) -> Iterator[StatePage]:
    """Yield the states of *classes* that belong to *cluster*, or all, about *rows* at a time."""
    engine = create_engine("postgresql+psycopg://", creator=partial(psycopg.connect, conninfo))
    try:
        for tracked in classes:
            for identities in _identities(engine, tracked, cluster, rows):
                publish = partial(_publish, engine, tracked, identities)
                yield StatePage(tracked.form.name, len(identities), publish)
    finally:
        engine.dispose()


def _identities(
    engine: Engine, tracked: Tracked, cluster: UUID | None, rows: int
) -> Iterator[list[Identity]]:
    with engine.connect() as reader:
        for states in tracked.rows.pages(reader, rows):
            # Ends the reading transaction: it must not hold back vacuum for the whole time.
            reader.rollback()
            yield [
                tracked.rows.identity(state)
                for state in states
                if is_about(tracked.snapshot(state), cluster)
            ]


def _publish(engine: Engine, tracked: Tracked, identities: Sequence[Identity]) -> None:
    """Publish these rows again, each locked FOR SHARE."""
    with Session(engine) as session, session.begin():
        session.connection().exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        for identity in identities:
            buffer_of(session).add(Mark(tracked, identity, replayed=True))
