# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from relay.operator.commands.options import (
    AllShards,
    AsJson,
    KeyOfShard,
    Person,
    Reason,
    Shard,
)


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
    from relay.operator.actions import pause as act
    from relay.operator.commands.switching import Which, switch_shards

    which = Which(all_shards, shard, key)
    switch_shards(act, "paused", which, reason=reason, person=person, as_json=as_json)
