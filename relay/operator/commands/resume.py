# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from relay.operator.commands.options import (
    AllShards,
    AsJson,
    KeyOfShard,
    Person,
    Reason,
    Shard,
)


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
    from relay.operator.actions import resume as act
    from relay.operator.commands.switching import Which, switch_shards

    which = Which(all_shards, shard, key)
    switch_shards(act, "resumed", which, reason=reason, person=person, as_json=as_json)
