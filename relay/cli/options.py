"""Options that several commands have."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.operations.actions import Why
    from relay.operations.selection import Selection

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 1 on warnings too.")]


class RowState(StrEnum):
    """State of a row in the outbox."""

    PENDING = "pending"
    PARKED = "parked"


State = Annotated[RowState | None, typer.Option(help="Only rows in this state.")]
Key = Annotated[str | None, typer.Option(help="Only rows of this key.")]
Name = Annotated[
    str | None, typer.Option(help="Only rows of this name on the stream, such as HostUpdated.")
]
Topic = Annotated[
    str | None, typer.Option(help="Only rows for this topic; '' selects rows that name none.")
]
EventId = Annotated[
    UUID | None, typer.Option(metavar="UUID", help="Only the row of this event, by its header id.")
]
OlderThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Only rows older than 90s, 15m, 2h or 3d.")
]
NewerThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Only rows newer than 90s, 15m, 2h or 3d.")
]
Reason = Annotated[
    str | None,
    typer.Option(help="Reason for the change; required. Kept in outbox_audit with user and time."),
]
Person = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PERSON",
        envvar="USER",
        help="Person who makes the change; required. Kept in outbox_audit.",
    ),
]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID", help="Ids of rows.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the matching rows; change nothing.")]
Confirm = Annotated[
    int | None,
    typer.Option(min=1, metavar="COUNT", help="Expected row count; aborts if it differs."),
]


@dataclass(frozen=True)
class RowOptions:
    """Options that select rows, beside their ids, state and topic."""

    key: Key = None
    name: Name = None
    event_id: EventId = None
    older_than: OlderThan = None
    newer_than: NewerThan = None

    def selection(
        self,
        ids: "Sequence[int] | None" = None,
        state: RowState | None = None,
        topic: str | None = None,
    ) -> "Selection":
        """Return the selection of rows that match them all."""
        # Slow to import, and not needed for help and completion.
        from relay.operations.selection import Selection  # noqa: PLC0415

        return Selection(
            ids, state.value if state else None, self.key, self.name, topic, self.older_than,
            self.newer_than, self.event_id,
        )  # fmt: skip


@dataclass(frozen=True)
class ReasonOptions:
    """Options of every change: its reason, and the person who makes it."""

    reason: Reason = None
    person: Person = None
    as_json: AsJson = False

    @property
    def why(self) -> "Why":
        """The reason and the person.

        Raises:
            typer.BadParameter: one of them is missing.
        """
        # Slow to import, and not needed for help and completion.
        from relay.operations.actions import Why  # noqa: PLC0415

        return Why(_required(self.reason), _somebody(self.person))


@dataclass(frozen=True)
class ChangeOptions(ReasonOptions):
    """Options of a change of rows."""

    dry_run: DryRun = False
    confirm: Confirm = None


AllShards = Annotated[bool, typer.Option("--all", help="All shards.")]
Shard = Annotated[
    list[int] | None,
    typer.Option(min=0, max=63, help="Number of a shard, as in `relay status`; may be repeated."),
]
KeyOfShard = Annotated[str | None, typer.Option("--key", help="The shard of this key.")]


def _required(reason: str | None) -> str:
    if reason is None or not reason.strip():
        raise typer.BadParameter("the reason is missing: give --reason; it is kept in outbox_audit")
    return reason


def _somebody(person: str | None) -> str:
    if person is None or not person.strip():
        raise typer.BadParameter("the person is missing: give --as; it is kept in outbox_audit")
    return person


def in_utc(moment: datetime | None) -> datetime | None:
    """Return *moment*, in UTC where it names no time zone."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
