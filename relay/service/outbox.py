import logging
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from uuid import UUID

from relay import settings
from relay.errors import EventDefinitionError
from relay.formats import envelope, format_of, with_format_defaults
from relay.service.capture import Captured, captured
from relay.service.composer import Composer, Item
from relay.service.kinds import async_writer_for, kinds_in_use, prepare, writer_for
from relay.service.message import Overrides
from relay.service.own_transaction import begun, begun_async
from relay.service.rate_limits import RateLimits
from relay.service.redaction.redactor import Redactor
from relay.service.replay import StatePage
from relay.service.writer import KeyRule, Kind, Tracking, TrackOptions
from relay.settings.preset import Preset

if TYPE_CHECKING:
    # At run time a service need not have these libraries.
    from psycopg import Connection

    from relay.service.psycopg import targets as psycopg
    from relay.service.sqlalchemy import targets as sqlalchemy

    Target: TypeAlias = sqlalchemy.Target | psycopg.Target
    # Connections of asyncpg are not among them: without types of its own they would be Any.
    AsyncTarget: TypeAlias = sqlalchemy.AsyncTarget | psycopg.AsyncTarget

logger = logging.getLogger(__name__)


class Outbox:
    """Writes messages, events and snapshots into the caller's transaction; never commits.

    Make one for the process, before the first session. *streaming*: off, events are still stored,
    and nothing goes to the outbox; errors in what is emitted are raised all the same. *versions*
    are those of the components, for the metadata of each row. *ordered*: lock each key until the
    end of the transaction, so that writers who share no other lock have an order, too. *preset*:
    the format of the messages. *rate_limits*: events that are not stored where they come too fast.
    *schema*: where the outbox tables are, if the search_path of the connections does not say.
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
        schema: str | None = None,
    ) -> None:
        # A text such as "false", out of an environment, would switch it on.
        if not isinstance(streaming, bool):
            raise TypeError(
                f"streaming is {streaming!r}; give True or False, or use Outbox.from_environment()"
            )
        self._composer = Composer(
            format=format_of(preset),
            metadata=envelope.metadata(versions or settings.VersionSettings().versions()),
            redactor=redactor or Redactor(),
            streaming=streaming,
            ordered=ordered,
            limits=rate_limits or RateLimits(),
            schema=schema,
        )
        self._trackings: dict[Kind, Tracking] = {}
        prepare()
        if not streaming:
            logger.debug(
                "The event stream is not configured (ENABLE_EVENT_STREAMING is off): "
                "events are stored, nothing is streamed"
            )

    @classmethod
    def from_environment(cls, *, redactor: Redactor | None = None, ordered: bool = False) -> Self:
        """Make an outbox as ENABLE_EVENT_STREAMING, EVENT_…, KAFKA_…, OUTBOX_SCHEMA, versions say.

        Raises:
            ConfigurationError: streaming is on and its settings cannot work; names every fault.
        """
        loaded = with_format_defaults(settings.load(stream=True, events=redactor is None))
        for warning in settings.unknown_variables():
            logger.warning("%s", warning)
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
            schema=loaded.database.outbox_schema,
        )

    @property
    def streaming(self) -> bool:
        """True while events are streamed as well as stored."""
        return self._composer.streaming

    def emit(
        self,
        target: "Target",
        item: Item,
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
        emitted = self._composer.emitted(item, Overrides(key, topic, headers, ordered))
        writer = writer_for(target)
        if writer is None:
            raise TypeError(
                f"emit() takes a session or a connection, not {type(target).__name__}; "
                "an asynchronous connection goes to `await emit_async(...)`"
            )
        writer.write(target, emitted)
        return emitted.event_id

    async def emit_async(
        self,
        target: "AsyncTarget",
        item: Item,
        *,
        key: str | None = None,
        topic: str | None = None,
        headers: Mapping[str, str] | None = None,
        ordered: bool | None = None,
    ) -> UUID:
        """Like `emit`, on an asynchronous session or connection."""
        emitted = self._composer.emitted(item, Overrides(key, topic, headers, ordered))
        writer = async_writer_for(target)
        if writer is None:
            raise TypeError(
                "emit_async() takes an asynchronous session or connection, "
                f"not {type(target).__name__}; use emit() for a synchronous one, and "
                "emit_now_async() for an engine or a pool"
            )
        await writer.write(target, emitted)
        return emitted.event_id

    def emit_now(
        self,
        source: object,
        item: Item,
        *,
        key: str | None = None,
        topic: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> UUID:
        """Write *item* in a short transaction of its own, committed at once; return its event id.

        For error events, which would vanish with the transaction that failed: roll that one back
        first. *source* is a SQLAlchemy engine, a psycopg pool, or a function that returns a new
        connection, which is closed afterwards.

        Raises:
            PayloadError: the item cannot be stored or published as it is.
            TypeError: *source* is none of these; a session or connection has a transaction.
        """
        with begun(source) as target:
            return self.emit(target, item, key=key, topic=topic, headers=headers)

    async def emit_now_async(
        self,
        source: object,
        item: Item,
        *,
        key: str | None = None,
        topic: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> UUID:
        """Like `emit_now`, on an asynchronous engine, pool, or function that connects."""
        async with begun_async(source) as target:
            return await self.emit_async(target, item, key=key, topic=topic, headers=headers)

    def track(
        self,
        entity: type,
        *,
        name: str | None = None,
        key: KeyRule | str | None = None,
        fields: Collection[str] | None = None,
        exclude: Collection[str] = (),
        topic: str | None = None,
        json: Mapping[str, Callable[[Any], object]] | None = None,
    ) -> None:
        """Publish one snapshot of each object of *entity* that a transaction changes.

        It shows the row as it is at the commit; of a deleted object the last known row, with
        ``"deleted": true``. Rows that go or change with one that a session deletes (ON DELETE
        CASCADE, SET NULL) are published as well; rows that a trigger changes are not.
        *fields* are the attributes to publish, beside the primary key; None means all but
        *exclude* and columns marked ``info={"secret": True}``. *key* is an attribute, or a
        function over the row; by default the cluster's, else the infra-env's, else the own id.
        *json* converts values of attributes whose type JSON does not know: ``{"address": str}``.

        From now on a statement that writes the table without its objects is refused with
        UntrackedWriteError, also while streaming is off.

        Raises:
            EventDefinitionError: what is asked for cannot work.
        """
        options = TrackOptions(name, key, fields, exclude, topic, json or {})
        self._tracking_for(entity).track(entity, options)

    def snapshot(self, target: "sqlalchemy.AnySession", entity: type, *identities: object) -> None:
        """Publish the rows of *entity* with these primary keys as they are at the commit.

        For rows that were changed in a way that sessions do not see. Give a tuple for a primary
        key of several columns. A row that is not there is published as deleted.

        Raises:
            EventDefinitionError: *entity* is not tracked.
        """
        self._tracking_of(entity).mark(target, entity, identities, replayed=False)

    def replay(self, target: "sqlalchemy.AnySession", entity: type, *identities: object) -> None:
        """Publish the current rows of *entity* again, with the header `replay`.

        For consumers that lost their data, and after streaming was off. Each row is locked FOR
        SHARE just before the commit, so take some hundred in a transaction; one that is not there
        any more is left out. `relay replay --outbox module:outbox` does it for whole tables.

        Raises:
            EventDefinitionError: *entity* is not tracked.
        """
        self._tracking_of(entity).mark(target, entity, identities, replayed=True)

    def state_pages(
        self, connection: "Connection[Any]", cluster: UUID | None, rows: int
    ) -> Generator[StatePage, None, None]:
        """Yield the tracked states of *cluster*, or all, about *rows* at a time, to replay them.

        *connection* reads and writes them, and no transaction may be open on it.
        """
        for tracking in self._trackings.values():
            yield from tracking.pages(connection, cluster, rows)

    @contextmanager
    def untracked(self) -> Iterator[None]:
        """Let statements on tracked tables pass, in this thread or task; nothing is published."""
        with ExitStack() as opened:
            for tracking in self._trackings.values():
                opened.enter_context(tracking.untracked())
            yield

    @contextmanager
    def captured(self) -> Iterator[list[Captured]]:
        """Yield a list that grows by each message that would be published, for tests.

        In the order of their publication, snapshots included; on a session they are written, and
        seen, when it commits, also where it only joins the transaction of a test. Of a database
        that is not PostgreSQL, events alone: nothing is written there.
        """
        with captured() as messages:
            yield messages

    def close(self) -> None:
        """Stop tracking. What sessions have already noted is still written."""
        for tracking in self._trackings.values():
            tracking.close()

    def _tracking_for(self, entity: type) -> Tracking:
        """Return the tracking that takes *entity*, made where there is none yet."""
        for kind in kinds_in_use():
            if kind.tracking is not None:
                tracking = self._trackings.get(kind) or kind.tracking(self._composer)
                if tracking.accepts(entity):
                    return self._trackings.setdefault(kind, tracking)
        raise EventDefinitionError(f"{entity!r} is no mapped class; track a SQLAlchemy class")

    def _tracking_of(self, entity: type) -> Tracking:
        for tracking in self._trackings.values():
            if tracking.tracks(entity):
                return tracking
        raise EventDefinitionError(f"{entity.__name__} is not tracked: call track() first")
