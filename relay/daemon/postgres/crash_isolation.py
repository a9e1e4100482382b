"""Crash isolation: finds a row that makes every relay crash.

A crash leaves no attempt behind, and every relay would crash on such a row in turn. But a lease
that ended without a commit leaves its mark on the shards it held. These are isolated: as many of
their oldest rows as one lease can hold are taken in steps, each a lease of its own. When a
relay dies of a step, the rows of that step are blamed, and from then on taken in smaller ones. A
row that is blamed alone is parked.

A relay that only lost its connection leaves the same mark. It takes it back as soon as it is
connected again: see LostLeases.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from relay.daemon.postgres import queries
from relay.daemon.postgres.claims import Claimed
from relay.daemon.postgres.lease import Lease

# Of rows that were never blamed, once, and more often. Large ones first, since most deaths have no
# row for a cause; few sizes, since each costs a death, and the pause before the process is back.
STEPS_ROWS: Final = (1_000, 32, 1)
DEATHS: Final = len(STEPS_ROWS)
KILLED: Final = (
    "relay processes died each time they published this row: look for their exit codes and logs, "
    "then requeue or discard it"
)


@dataclass(frozen=True, slots=True)
class Deaths:
    """Relays died on these shards. The lease must be committed before anything is published."""

    shards: Sequence[int]


@dataclass(frozen=True, slots=True)
class TakeAlone:
    """These shards are isolated: each needs a lease of its own."""

    shards: Sequence[int]


@dataclass(frozen=True, slots=True)
class Step:
    """The lease reads the next step of its isolated shard; *parked* is a row that was at fault."""

    parked: int | None


Isolation = Deaths | TakeAlone | Step | None


def isolate(lease: Lease) -> Isolation:
    """Prepare *lease* for the crash isolation of its shards; None if none is isolated."""
    died = [claimed for claimed in lease.claimed if claimed.died]
    if died:
        _note_deaths(lease, died)
        return Deaths([claimed.shard for claimed in died])
    isolated = [claimed for claimed in lease.claimed if claimed.isolated_until is not None]
    if not isolated:
        return None
    if len(lease.claimed) > 1:
        return TakeAlone([claimed.shard for claimed in isolated])
    return _narrow(lease, isolated[0])


def next_step(head: Sequence[tuple[int, int]]) -> list[int]:
    """Return the ids of the next step, given id and attempts of a shard's oldest rows."""
    if not head:
        return []
    deaths = head[0][1]
    alike = [id_ for id_, _ in takewhile(lambda row: row[1] == deaths, head)]
    return alike[: STEPS_ROWS[min(deaths, DEATHS - 1)]]


def _note_deaths(lease: Lease, died: Sequence[Claimed]) -> None:
    """Blame the last step of shards on which a relay died, or isolate them."""
    new = [claimed.shard for claimed in died if claimed.isolated_until is None]
    if new:
        lease.execute(queries.START_ISOLATION, {
            "shards": new,
            "holders": [claimed.holder for claimed in died],
            "rows": lease.rows_max,
        })  # fmt: skip
    shards_of = Counter(claimed.holder for claimed in died)
    for claimed in died:
        # A step is taken with its shard alone: a lease of several was lost before it published.
        if claimed.isolated_until is not None and shards_of[claimed.holder] == 1:
            blamed = next_step(_head(lease, claimed))
            lease.execute(queries.BLAME, {"ids": blamed, "holder": str(claimed.holder)})


def _head(lease: Lease, claimed: Claimed) -> list[tuple[int, int]]:
    found = lease.head(claimed, STEPS_ROWS[0])
    return [(id_, attempts) for id_, attempts, _ in found]


def _narrow(lease: Lease, claimed: Claimed) -> Step:
    """Let *lease* read nothing but the next step of its shard, or end the isolation."""
    found = lease.head(claimed, STEPS_ROWS[0])
    head = [(id_, attempts) for id_, attempts, _ in found]
    ids = next_step(head)
    if not ids:
        lease.execute(queries.END_ISOLATION, {"shard": claimed.shard})
        lease.narrow(claimed.shard, upto=0)
        return Step(parked=None)
    first, deaths = head[0]
    if deaths >= DEATHS:
        lease.park(first, found[0][2], KILLED)
        lease.narrow(claimed.shard, upto=0)
        return Step(parked=first)
    if len(ids) == len(found) < STEPS_ROWS[0]:
        # The last step: with its commit the shard is as any other.
        lease.execute(queries.END_ISOLATION, {"shard": claimed.shard})
    lease.narrow(claimed.shard, upto=ids[-1])
    return Step(parked=None)
