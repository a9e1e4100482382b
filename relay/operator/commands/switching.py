"""What `relay pause` and `relay resume` have in common."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import typer

from relay.operator.actions import ALL_SHARDS, Why, shard_of
from relay.operator.commands.options import required
from relay.settings import DatabaseSettings, load

Act = Callable[[DatabaseSettings, Sequence[int], Why], list[int]]


@dataclass(frozen=True)
class Which:
    """All shards, one of them, or the one of a key."""

    all_shards: bool
    shard: int | None
    key: str | None

    def shards(self, database: DatabaseSettings) -> Sequence[int]:
        """Return their numbers."""
        if self.all_shards:
            return ALL_SHARDS
        return [shard_of(database, self.key or "") if self.shard is None else self.shard]


def switch_shards(
    act: Act, done: str, which: Which, *, reason: str | None, person: str | None, as_json: bool
) -> None:
    """Change whether the named shards are paused.

    Raises:
        typer.BadParameter: not exactly one of the three says which shards, or nothing says why.
    """
    if [which.all_shards, which.shard is not None, which.key is not None].count(True) != 1:
        raise typer.BadParameter("say which shards: --all, --shard or --key")
    why = Why(required(reason), person)
    database = load(database=True).database
    shards = which.shards(database)
    changed = act(database, shards, why)
    if as_json:
        typer.echo(json.dumps({"shards": list(shards), "changed": changed}))
    else:
        named = "all shards" if which.all_shards else f"shard {shards[0]}"
        before = len(shards) - len(changed)
        note = f" ({before} of {len(shards)} were already)" if before else ""
        typer.echo(f"{named} {done}{note}.".capitalize())
