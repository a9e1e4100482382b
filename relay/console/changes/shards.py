"""Changes of shards: pause, and resume."""

from collections.abc import Collection, Sequence
from typing import Final

from relay.console.access.refusals import invalid
from relay.console.changes.change import Act, Done, Form, Prepared, digest
from relay.console.links import to
from relay.console.visit import Visit
from relay.database.session import Connection
from relay.operations import actions
from relay.operations import shards as operations
from relay.operations.actions import Why
from relay.settings import SHARDS

ALL: Final = "all"
PAUSED: Final = "paused"


def pause(visit: Visit) -> Prepared:
    """Prepare to keep relays from shards."""
    paused = _paused(visit)
    chosen = [shard for shard in _chosen(visit, paused) if shard not in paused]

    def act(connection: Connection, why: Why, _: Form) -> Done:
        return _done(actions.pause(connection, chosen, why), "paused")

    return _prepared(
        "Pause", chosen, act,
        "Relays will leave {} alone. Their rows wait. Leases under way are waited for.",
    )  # fmt: skip


def resume(visit: Visit) -> Prepared:
    """Prepare to give shards back to the relays."""
    paused = _paused(visit)
    chosen = [shard for shard in _chosen(visit, paused) if shard in paused]

    def act(connection: Connection, why: Why, _: Form) -> Done:
        return _done(actions.resume(connection, chosen, why), "resumed")

    return _prepared("Resume", chosen, act, "Relays will publish the rows of {} again.")


def _paused(visit: Visit) -> Collection[int]:
    with visit.database.connection() as connection:
        return {each.shard for each in operations.read(connection) if each.paused_at}


def _chosen(visit: Visit, paused: Collection[int]) -> Sequence[int]:
    given = visit.given("shards") or ""
    if given == ALL:
        return range(SHARDS)
    if given == PAUSED:
        return sorted(paused)
    parts = given.split(",")
    if not all(part.isascii() and part.isdigit() and int(part[:9]) < SHARDS for part in parts):
        raise invalid(f"Shards go from 0 to {SHARDS - 1}, with commas between them.")
    return sorted({int(part) for part in parts})


def _prepared(verb: str, chosen: Sequence[int], act: Act, consequence: str) -> Prepared:
    if not chosen:
        raise invalid(f"There is nothing to {verb.lower()}: the shards are so already.")
    named = f"shard {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} shards"
    listed = "" if len(chosen) == 1 else f" ({', '.join(map(str, chosen))})"
    return Prepared(
        title=f"{verb} {named}",
        consequence=consequence.format(f"{named}{listed}"),
        count=len(chosen),
        seen=digest(chosen),
        submit=f"{verb} {named}",
        back=to("shards"),
        act=act,
    )


def _done(shards: Sequence[int], what: str) -> Done:
    return Done(f"{len(shards)} {'shard' if len(shards) == 1 else 'shards'} {what}.", to("shards"))
