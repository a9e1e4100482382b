"""Options that several commands have."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

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
AllShards = Annotated[bool, typer.Option("--all", help="All shards.")]
Shard = Annotated[
    list[int] | None,
    typer.Option(min=0, max=63, help="Number of a shard, as in `relay status`; may be repeated."),
]
KeyOfShard = Annotated[str | None, typer.Option("--key", help="The shard of this key.")]


def required(reason: str | None) -> str:
    """Return *reason*.

    Raises:
        typer.BadParameter: there is none.
    """
    if reason is None or not reason.strip():
        raise typer.BadParameter("the reason is missing: give --reason; it is kept in outbox_audit")
    return reason


def somebody(person: str | None) -> str:
    """Return *person*.

    Raises:
        typer.BadParameter: nobody is named.
    """
    if person is None or not person.strip():
        raise typer.BadParameter("the person is missing: give --as; it is kept in outbox_audit")
    return person


def in_utc(moment: datetime | None) -> datetime | None:
    """Return *moment*, in UTC where it names no time zone."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
