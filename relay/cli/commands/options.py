"""Options that several commands have."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]


class RowState(StrEnum):
    """Whether a row waits, or is out of the way."""

    PENDING = "pending"
    PARKED = "parked"


State = Annotated[RowState | None, typer.Option(help="Rows that wait, or that are parked.")]
Key = Annotated[str | None, typer.Option(help="Rows of this key.")]
Name = Annotated[str | None, typer.Option(help="Rows of this name, such as HostUpdated.")]
Topic = Annotated[str | None, typer.Option(help="Rows for this topic; '' for those naming none.")]
OlderThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Rows older than 90s, 15m, 2h, 3d.")
]
NewerThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Rows younger than 90s, 15m, 2h, 3d.")
]
Reason = Annotated[
    str | None, typer.Option(help="Why; kept in outbox_audit with the user and the time.")
]
Person = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PERSON",
        envvar="USER",
        help="Who, where several people share a database user.",
    ),
]


def required(reason: str | None) -> str:
    """Return *reason*.

    Raises:
        typer.BadParameter: there is none.
    """
    if reason is None or not reason.strip():
        raise typer.BadParameter("say why with --reason; it is kept in outbox_audit")
    return reason


def as_text(value: object) -> str:
    """Return what JSON has no form for as a text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Rows by their ids.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show which rows, and change nothing.")]
Confirm = Annotated[
    int | None,
    typer.Option(min=1, metavar="COUNT", help="How many rows it is going to be."),
]

AllShards = Annotated[bool, typer.Option("--all", help="All shards.")]
Shard = Annotated[int | None, typer.Option(min=0, max=63, help="One shard, as in `relay status`.")]
KeyOfShard = Annotated[str | None, typer.Option("--key", help="The shard of this key.")]
