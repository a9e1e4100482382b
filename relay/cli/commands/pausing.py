from typing import TYPE_CHECKING, NamedTuple

import typer

from relay.cli.options import (
    AllShards,
    KeyOfShard,
    ReasonOptions,
    Shard,
)
from relay.settings import SHARDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relay.database.session import Connection
    from relay.operations.actions import Why

    Act = Callable[[Connection, Sequence[int], Why], list[int]]


def pause(
    *,
    all_shards: AllShards = False,
    shard: Shard = None,
    key: KeyOfShard = None,
    change: ReasonOptions,
) -> None:
    """Keep relays from shards; their rows wait until `relay resume`.

    Waits for the leases under way; afterwards no relay works on these shards. All keys of a shard
    wait together. Needs the role outbox_operator.
    """
    from relay.operations import actions

    which = _Shards(all_shards, shard, key)
    _switch(actions.pause, "paused", which, change)


def resume(
    *,
    all_shards: AllShards = False,
    shard: Shard = None,
    key: KeyOfShard = None,
    change: ReasonOptions,
) -> None:
    """Give paused shards back to the relays.

    Needs the role outbox_operator.
    """
    from relay.operations import actions

    which = _Shards(all_shards, shard, key)
    _switch(actions.resume, "resumed", which, change)


class _Shards(NamedTuple):
    """Options that select shards."""

    every: bool
    numbers: "Sequence[int] | None"
    key: str | None

    def check(self) -> None:
        if [self.every, bool(self.numbers), self.key is not None].count(True) != 1:
            raise typer.BadParameter("give exactly one of --all, --shard and --key")

    def resolve(self, connection: "Connection") -> "Sequence[int]":
        from relay.operations.actions import ALL_SHARDS, shard_of

        if self.every:
            return ALL_SHARDS
        return self.numbers or [shard_of(connection, self.key or "")]


def _switch(act: "Act", done: str, which: _Shards, change: ReasonOptions) -> None:
    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.operations.actions import PATIENCE_SECONDS

    which.check()
    why = change.why
    command = f"relay {act.__name__}"
    with database(command, patience_seconds=PATIENCE_SECONDS) as connection:
        shards = which.resolve(connection)
        changed = act(connection, shards, why)
    if change.as_json:
        print_json({"shards": list(shards), "changed": changed})
    else:
        typer.echo(_told(shards, len(shards) - len(changed), done))


def _told(shards: "Sequence[int]", before: int, done: str) -> str:
    if len(shards) == 1:
        return f"Shard {shards[0]} was {'already ' if before else ''}{done}."
    unchanged = f"; {before} of them already were" if before else ""
    named = "All 64 shards" if len(shards) == SHARDS else f"Shards {', '.join(map(str, shards))}"
    return f"{named} were {done}{unchanged}."
