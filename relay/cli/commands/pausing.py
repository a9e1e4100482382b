# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from typing import TYPE_CHECKING, NamedTuple

import typer

from relay.cli.commands.options import (
    AllShards,
    AsJson,
    KeyOfShard,
    Person,
    Reason,
    Shard,
    required,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from relay.operations.actions import Why
    from relay.settings import DatabaseSettings

    Act = Callable[[DatabaseSettings, Sequence[int], Why], list[int]]


def pause(
    *,
    all_shards: AllShards = False,
    shard: Shard = None,
    key: KeyOfShard = None,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Keep relays from some shards: their rows wait, until `relay resume`.

    Waits for the leases under way; when it ends, no relay works on them any more. Other keys of
    the same shard wait too. Needs the role outbox_operator.
    """
    from relay.operations.actions import pause as act

    which = _Which(all_shards, shard, key)
    _switch(act, "paused", which, reason=reason, person=person, as_json=as_json)


def resume(
    *,
    all_shards: AllShards = False,
    shard: Shard = None,
    key: KeyOfShard = None,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Give shards that were paused back to the relays.

    Needs the role outbox_operator.
    """
    from relay.operations.actions import resume as act

    which = _Which(all_shards, shard, key)
    _switch(act, "resumed", which, reason=reason, person=person, as_json=as_json)


class _Which(NamedTuple):
    all_shards: bool
    shard: int | None
    key: str | None


def _switch(
    act: "Act", done: str, which: _Which, *, reason: str | None, person: str | None, as_json: bool
) -> None:
    from relay.operations.actions import ALL_SHARDS, Why, shard_of
    from relay.settings import load

    if [which.all_shards, which.shard is not None, which.key is not None].count(True) != 1:
        raise typer.BadParameter("say which shards: --all, --shard or --key")
    why = Why(required(reason), person)
    database = load(database=True).database
    if which.all_shards:
        shards: Sequence[int] = ALL_SHARDS
    else:
        shards = [shard_of(database, which.key or "") if which.shard is None else which.shard]
    changed = act(database, shards, why)
    if as_json:
        typer.echo(json.dumps({"shards": list(shards), "changed": changed}))
    else:
        named = "all shards" if which.all_shards else f"shard {shards[0]}"
        before = len(shards) - len(changed)
        note = f" ({before} of {len(shards)} were already)" if before else ""
        typer.echo(f"{named} {done}{note}.".capitalize())
