from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection, inspect
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.orm import Mapper

from relay.errors import EventDefinitionError
from relay.service.composer import Composer
from relay.service.replay import StatePage
from relay.service.sqlalchemy.binds import connection_of
from relay.service.sqlalchemy.buffer import buffer_of
from relay.service.sqlalchemy.columns import family_of, mapper_of
from relay.service.sqlalchemy.connection import require_transaction
from relay.service.sqlalchemy.flushes import flushing_session, is_own_statement
from relay.service.sqlalchemy.guard import Guard
from relay.service.sqlalchemy.openness import refuse_hidden_savepoints
from relay.service.sqlalchemy.owners import Owners
from relay.service.sqlalchemy.replay import state_pages
from relay.service.sqlalchemy.session import session_of
from relay.service.sqlalchemy.snapshots import Change, Mark
from relay.service.sqlalchemy.tracked import Tracked, tracked
from relay.service.sqlalchemy.tracker import Tracker
from relay.service.sqlalchemy.updates import update_of
from relay.service.writer import TrackOptions


class MappedClasses:
    """The mapped classes that an outbox tracks."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self._guard = Guard(self._watch)
        self._tracked: dict[type, Tracked] = {}
        self._trackers: list[Tracker] = []
        self._owners: Owners | None = None

    def accepts(self, entity: object) -> bool:
        """Tell whether *entity* is a mapped class."""
        return isinstance(inspect(entity, raiseerr=False), Mapper)

    def track(self, entity: type, options: TrackOptions) -> None:
        """Publish one snapshot of each object of *entity* that a transaction changes.

        Raises:
            EventDefinitionError: that cannot work.
        """
        family = set(family_of(mapper_of(entity)))
        for known, other in self._tracked.items():
            # Else an object of both would have two snapshots.
            if not family.isdisjoint(family_of(other.mapper)):
                raise EventDefinitionError(
                    f"{entity.__name__} cannot be tracked, because {known.__name__} is already"
                )
        found = tracked(entity, options, self._composer)
        self._tracked[entity] = found
        self._guard.protect(found.tables)
        if self._composer.streaming:
            self._trackers.append(Tracker(found, self._tracked))
            self._owners = self._owners or Owners(self._tracked)
            self._owners.forget()

    def tracks(self, entity: object) -> bool:
        """Tell whether *entity* is tracked."""
        return entity in self._tracked

    def mark(
        self, target: object, entity: type, identities: Collection[object], *, replayed: bool
    ) -> None:
        """Publish these rows at the commit of the session *target*; *replayed*: as a replay."""
        session = session_of(target)
        if session is None:
            raise TypeError(f"this takes a session, not {type(target).__name__}")
        if self._composer.streaming:
            tracked = self._tracked[entity]
            change = Change.REPLAYED if replayed else Change.REQUESTED
            connection = connection_of(session, tracked.mapper)
            for identity in identities:
                parts = identity if isinstance(identity, tuple) else (identity,)
                _check_parts(parts, tracked)
                buffer_of(session).add(Mark(tracked, parts, connection, change))

    def _watch(self, connection: Connection, context: ExecutionContext) -> bool:
        """Note what a flush changes; False where the statement is not that of a flush."""
        session = flushing_session(connection)
        if session is None or not any(
            is_own_statement(context, tracked.mapper) for tracked in self._tracked.values()
        ):
            return False
        if self._composer.streaming:
            # Before the change, which could not be undone.
            require_transaction(connection)
            refuse_hidden_savepoints(session)
        update = update_of(context)
        if update is not None:
            for tracker in self._trackers:
                if update.table in tracker.tables:
                    tracker.updates(session, connection, update)
        return True

    def untracked(self) -> AbstractContextManager[None]:
        """Let statements on tracked tables pass, in this thread or task."""
        return self._guard.opened()

    def pages(
        self, connection: psycopg.Connection[Any], cluster: UUID | None, rows: int
    ) -> Iterator[StatePage]:
        """Yield the current states of *cluster*, or of all, about *rows* at a time."""
        return state_pages(connection, tuple(self._tracked.values()), cluster, rows)

    def close(self) -> None:
        """Stop tracking. What sessions have already noted is still written."""
        for tracker in self._trackers:
            tracker.close()
        self._trackers.clear()
        if self._owners is not None:
            self._owners.close()
            self._owners = None
        self._tracked.clear()
        self._guard.close()


def _check_parts(parts: tuple[object, ...], tracked: Tracked) -> None:
    names = tuple(tracked.rows.identity_columns)
    if len(parts) != len(names):
        raise TypeError(
            f"the primary key of {tracked.mapper.class_.__name__} is ({', '.join(names)}): "
            f"give a tuple with one value for each, not {len(parts)}"
        )
