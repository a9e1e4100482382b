"""The interface of a room for one kind of writer. relay/service/kinds.py lists the rooms."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias
from uuid import UUID

from relay.service.composer import Composer
from relay.service.records import Emitted
from relay.service.replay import StatePage

if TYPE_CHECKING:
    import psycopg

LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', '5s', true)"
"""A transaction of our own may wait for the caller's, which then waits for it: end that."""

State: TypeAlias = Mapping[str, Any]
KeyRule: TypeAlias = Callable[[State], str | None]


class Writer(Protocol):
    """Writes into the transaction of a target: at once, or when that transaction commits."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is one of this writer's."""

    def write(self, target: Any, emitted: Emitted) -> None:  # noqa: ANN401 - one that it accepts
        """Write *emitted* in the transaction of *target*.

        Raises:
            NoTransactionError: a statement on *target* would be a transaction of its own.
        """


class AsyncWriter(Protocol):
    """A writer for asynchronous targets."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is one of this writer's."""

    async def write(self, target: Any, emitted: Emitted) -> None:  # noqa: ANN401 - one that it accepts
        """Write *emitted* in the transaction of *target*.

        Raises:
            NoTransactionError: a statement on *target* would be a transaction of its own.
        """


class Source(Protocol):
    """Begins transactions for `emit_now`: on connections of a pool, or on one made for it."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is an engine, a pool or a new connection of this kind."""

    def begin(self, source: Any) -> AbstractContextManager[Any]:  # noqa: ANN401 - the same
        """Yield a target whose transaction commits at the end; a new connection is closed."""


class AsyncSource(Protocol):
    """A source of asynchronous targets."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is an engine, a pool or a new connection of this kind."""

    def begin(self, source: Any) -> AbstractAsyncContextManager[Any]:  # noqa: ANN401 - the same
        """Yield a target whose transaction commits at the end; a new connection is closed."""


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """Wishes of a service for one tracked class; `Outbox.track` explains them."""

    name: str | None = None
    key: KeyRule | str | None = None
    fields: Collection[str] | None = None
    exclude: Collection[str] = ()
    topic: str | None = None
    json: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)


class Tracking(Protocol):
    """Tracked classes of one kind, whose changes are published as snapshots."""

    def accepts(self, entity: object) -> bool:
        """Tell whether *entity* is a class that can be tracked here."""

    def track(self, entity: Any, options: TrackOptions) -> None:  # noqa: ANN401 - one that it accepts
        """Publish one snapshot of each object of *entity* that a transaction changes.

        Raises:
            EventDefinitionError: that cannot work.
        """

    def tracks(self, entity: object) -> bool:
        """Tell whether *entity* is tracked."""

    def mark(
        self, target: object, entity: type, identities: Collection[object], *, replayed: bool
    ) -> None:
        """Publish these rows at the commit of *target*; *replayed*: as a replay."""

    def untracked(self) -> AbstractContextManager[None]:
        """Let statements on tracked tables pass, in this thread or task."""

    def pages(
        self, connection: "psycopg.Connection[Any]", cluster: UUID | None, rows: int
    ) -> Iterator[StatePage]:
        """Yield the current states of *cluster*, or of all, about *rows* at a time."""

    def close(self) -> None:
        """Stop tracking. What sessions have already noted is still written."""


def _nothing() -> None:
    """Stand in where a kind needs no preparation."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of writer: all that its room gives to the outbox.

    *prepare* is called before the kind is used, and may be called again.
    """

    writers: tuple[Writer, ...] = ()
    async_writers: tuple[AsyncWriter, ...] = ()
    sources: tuple[Source, ...] = ()
    async_sources: tuple[AsyncSource, ...] = ()
    tracking: Callable[[Composer], Tracking] | None = None
    prepare: Callable[[], None] = _nothing
