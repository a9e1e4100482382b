"""The interface of a room for one kind of writer. relay/service/kinds.py lists the rooms."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import UUID

from relay.service.composer import Composer
from relay.service.records import Emitted
from relay.service.replay import StatePage

if TYPE_CHECKING:
    import psycopg

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


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """Wishes of a service for one tracked class; `Outbox.track` explains them."""

    name: str | None = None
    key: KeyRule | str | None = None
    fields: Collection[str] | None = None
    exclude: Collection[str] = ()
    topic: str | None = None


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
    tracking: Callable[[Composer], Tracking] | None = None
    prepare: Callable[[], None] = _nothing
