import logging
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.orm import Session, scoped_session

from relay import settings
from relay.errors import EventDefinitionError
from relay.formats import envelope, format_of, with_format_defaults
from relay.formats.message import Message
from relay.service.composer import Composer, immediate
from relay.service.events.event import Event
from relay.service.events.rendering import UntypedEvent
from relay.service.rate_limits import RateLimits
from relay.service.records import write, write_psycopg, write_psycopg_async
from relay.service.redaction.redactor import Redactor
from relay.service.sqlalchemy import transactions
from relay.service.sqlalchemy.buffer import buffer_of
from relay.service.sqlalchemy.guard import Guard
from relay.service.sqlalchemy.snapshots import KeyRule, Mark, Tracked, mapper_of
from relay.service.sqlalchemy.tracking import Tracker
from relay.settings.preset import Preset

if TYPE_CHECKING:
    # At run time SQLAlchemy's asyncio part needs greenlet, which not every service has.
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    AnySession: TypeAlias = Session | scoped_session[Any] | AsyncSession | async_scoped_session[Any]
    Target: TypeAlias = AnySession | Connection | psycopg.Connection[Any]
    AsyncTarget: TypeAlias = (
        AsyncSession | async_scoped_session[Any] | AsyncConnection | psycopg.AsyncConnection[Any]
    )

logger = logging.getLogger(__name__)


class Outbox:
    """Writes messages, events and snapshots into the caller's transaction; never commits.

    Make one for the process, before the first session. *streaming*: off, events are still stored,
    and nothing goes to the outbox; errors in what is emitted are raised all the same. *versions*
    are those of the components, for the metadata of each row. *ordered*: lock each key until the
    end of the transaction, so that writers who share no other lock have an order, too. *preset*:
    whom the messages are for. *rate_limits*: which events are not stored where they come too fast.
    """

    def __init__(
        self,
        *,
        streaming: bool,
        versions: Mapping[str, object] | None = None,
        redactor: Redactor | None = None,
        ordered: bool = False,
        preset: Preset = Preset.STANDARD,
        rate_limits: RateLimits | None = None,
    ) -> None:
        self._format = format_of(preset)
        self._composer = Composer(
            streaming=streaming,
            metadata=envelope.metadata(versions or settings.VersionSettings().versions()),
            redactor=redactor or Redactor(),
            ordered=ordered,
            format=self._format,
            limits=rate_limits or RateLimits(),
        )
        self._guard = Guard()
        self._tracked: dict[type, Tracked] = {}
        self._trackers: list[Tracker] = []
        transactions.follow()
        if not streaming:
            logger.debug(
                "The event stream is not configured (ENABLE_EVENT_STREAMING is off): "
                "events are stored, nothing is streamed"
            )

    @classmethod
    def from_environment(cls, *, redactor: Redactor | None = None, ordered: bool = False) -> Self:
        """Make an outbox as ENABLE_EVENT_STREAMING, EVENT_…, KAFKA_… and the versions say.

        Raises:
            ConfigurationError: streaming is on and its settings cannot work; names every fault.
        """
        loaded = with_format_defaults(settings.load(stream=True))
        events = loaded.events
        return cls(
            streaming=loaded.streaming,
            versions=format_of(events.stream_preset).versions(loaded.versions),
            redactor=redactor or Redactor.from_environment(),
            ordered=ordered,
            preset=events.stream_preset,
            rate_limits=RateLimits(
                events.rate_limits, streamed=events.stream_rate_limited or False
            ),
        )

    @property
    def streaming(self) -> bool:
        """Whether what is emitted goes to the stream as well."""
        return self._composer.streaming

    def emit(
        self,
        target: "Target",
        item: Event | UntypedEvent | Message,
        *,
        key: str | None = None,
        topic: str | None = None,
        headers: Mapping[str, str] | None = None,
        ordered: bool | None = None,
    ) -> UUID:
        """Write *item* in the transaction of *target* and return its event id.

        On a session it is written just before the commit, after the snapshots; on a connection at
        once: emit there after you changed, and so locked, the row it is about. *key*, *topic* and
        *headers* replace what the item says itself; *ordered* what the outbox was made with.

        Raises:
            PayloadError: the item cannot be stored or published as it is.
            NoTransactionError: a statement on *target* would be a transaction of its own.
        """
        emitted, event_id = self._composer.compose(
            item, key=key, topic=topic, headers=headers, ordered=ordered
        )
        if (session := _session_of(target)) is not None:
            buffer_of(session).add(emitted)
        elif isinstance(target, Connection):
            write(target, *immediate(emitted))
        elif isinstance(target, psycopg.Connection):
            write_psycopg(target, *immediate(emitted))
        else:
            raise TypeError(
                f"emit() takes a session or a connection, not {type(target).__name__}; "
                "an asynchronous connection goes to `await emit_async(...)`"
            )
        return event_id

    async def emit_async(
        self,
        target: "AsyncTarget",
        item: Event | UntypedEvent | Message,
        *,
        key: str | None = None,
        topic: str | None = None,
        headers: Mapping[str, str] | None = None,
        ordered: bool | None = None,
    ) -> UUID:
        """Like `emit`, on an asynchronous session or connection, of SQLAlchemy or psycopg."""
        emitted, event_id = self._composer.compose(
            item, key=key, topic=topic, headers=headers, ordered=ordered
        )
        if (session := _session_of(target)) is not None:
            buffer_of(session).add(emitted)
        elif isinstance(target, psycopg.AsyncConnection):
            await write_psycopg_async(target, *immediate(emitted))
        elif isinstance(getattr(target, "sync_connection", None), Connection):
            await cast("AsyncConnection", target).run_sync(write, *immediate(emitted))
        else:
            raise TypeError(
                "emit_async() takes an asynchronous session or connection, "
                f"not {type(target).__name__}; use emit()"
            )
        return event_id

    def track(
        self,
        entity: type,
        *,
        name: str | None = None,
        key: KeyRule | str | None = None,
        fields: Collection[str] | None = None,
        exclude: Collection[str] = (),
        topic: str | None = None,
    ) -> None:
        """Publish one snapshot of each object of *entity* that a transaction changes.

        It shows the row as it is at the commit; of a deleted object the last known row, with
        ``"deleted": true``. Rows that go or change with a deleted one (ON DELETE CASCADE, SET NULL)
        are published where both classes are tracked; rows that a trigger changes are not.
        *fields* are the attributes to publish, beside the primary key; None means all but
        *exclude* and columns marked ``info={"secret": True}``. *key* is an attribute, or a
        function over the row; by default the cluster's, else the infra-env's, else the own id.

        From now on a statement that writes the table without its objects is refused with
        UntrackedWriteError, also while streaming is off.

        Raises:
            EventDefinitionError: what is asked for cannot work.
        """
        mapper = mapper_of(entity)
        for known in self._tracked:
            if issubclass(entity, known) or issubclass(known, entity):
                raise EventDefinitionError(
                    f"{entity.__name__} cannot be tracked, because {known.__name__} is already"
                )
        name = self._format.snapshot_name(entity.__name__, name)
        tracked = Tracked(
            mapper,
            name=name,
            key=key,
            fields=fields,
            exclude=exclude,
            topic=topic,
            form=self._format,
            metadata=self._composer.metadata,
            redactor=self._composer.redactor,
        )
        self._format.check_snapshot(tracked.name, tracked.fields, keyed=key is not None)
        self._tracked[entity] = tracked
        self._guard.protect(table for table in mapper.tables if isinstance(table, Table))
        if self.streaming:
            self._trackers.append(Tracker(tracked, self._tracked))

    def snapshot(self, target: "AnySession", entity: type, *identities: object) -> None:
        """Publish the rows of *entity* with these primary keys as they are at the commit.

        For rows that were changed in a way that sessions do not see. Give a tuple for a primary
        key of several columns. A row that is not there is published as deleted.

        Raises:
            EventDefinitionError: *entity* is not tracked.
        """
        self._mark(target, entity, identities)

    def replay(self, target: "AnySession", entity: type, *identities: object) -> None:
        """Publish the current rows of *entity* again, with the header `replay`.

        For consumers that lost their data, and after streaming was off. Each row is locked FOR
        SHARE just before the commit, so take some hundred in a transaction; one that is not there
        any more is left out. `relay replay --outbox module:outbox` does it for whole tables.

        Raises:
            EventDefinitionError: *entity* is not tracked.
        """
        self._mark(target, entity, identities, replayed=True)

    @property
    def tracked(self) -> tuple[Tracked, ...]:
        """What is tracked, in the order in which it was asked for."""
        return tuple(self._tracked.values())

    def untracked(self) -> AbstractContextManager[None]:
        """Let statements on tracked tables pass, in this thread or task; nothing is published."""
        return self._guard.opened()

    def close(self) -> None:
        """Stop tracking. What sessions have already noted is still written."""
        for tracker in self._trackers:
            tracker.close()
        self._trackers.clear()
        self._tracked.clear()
        self._guard.close()

    def _mark(
        self,
        target: "AnySession",
        entity: type,
        identities: tuple[object, ...],
        *,
        replayed: bool = False,
    ) -> None:
        tracked = self._tracked.get(entity)
        if tracked is None:
            raise EventDefinitionError(f"{entity.__name__} is not tracked: call track() first")
        session = _session_of(target)
        if session is None:
            raise TypeError(f"this takes a session, not {type(target).__name__}")
        if self.streaming:
            for identity in identities:
                parts = identity if isinstance(identity, tuple) else (identity,)
                buffer_of(session).add(Mark(tracked, parts, replayed=replayed))


def _session_of(target: object) -> Session | None:
    """Return the session that does the work behind *target*; None where it is none."""
    if isinstance(target, scoped_session):
        target = target.registry()
    session: object = getattr(target, "sync_session", target)
    return session if isinstance(session, Session) else None
