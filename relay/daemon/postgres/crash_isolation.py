"""Finding a row that kills the relay.

A crash leaves no attempt behind, and every relay would die of such a row in turn. But a lease that
ended without a commit leaves its mark on the shards it held. Such a shard is on probation: as many
of its oldest rows as one lease can hold are taken in small steps, each a lease of its own. When a
relay dies of a step, the rows of that step are blamed, and from then on taken alone. Who is blamed
alone several times is parked.

A relay that only lost its connection leaves the same mark. It takes it back as soon as it is
connected again: see Store.connect.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from relay.daemon.postgres import queries
from relay.daemon.postgres.lease import Claimed, Lease

STEP_ROWS: Final = 100
# Once in company, and then twice alone.
DEATHS: Final = 3
KILLED: Final = (
    "relay processes died each time they published this row: look for their exit codes and logs, "
    "then requeue or discard it"
)


def step(head: Sequence[tuple[int, int]]) -> list[int]:
    """Return the ids of the next step, given id and attempts of a shard's oldest rows."""
    if head and head[0][1] > 0:
        return [head[0][0]]
    return [id_ for id_, _ in takewhile(lambda row: row[1] == 0, head)]


def note_deaths(lease: Lease, lease_rows: int) -> bool:
    """Blame the last step of shards on which a relay died, or start their probation.

    Return whether there were any; the lease must be committed then, before anything is published.
    """
    died = [claimed for claimed in lease.claimed if claimed.died]
    new = [claimed.shard for claimed in died if claimed.isolated_until is None]
    if new:
        lease.execute(queries.START_ISOLATION, {"shards": new, "rows": lease_rows})
    shards_of = Counter(claimed.holder for claimed in died)
    for claimed in died:
        # A step is taken with its shard alone: a lease of several was lost before it published.
        if claimed.isolated_until is not None and shards_of[claimed.holder] == 1:
            blamed = step(lease.head(claimed, STEP_ROWS))
            lease.execute(queries.BLAME, {"ids": blamed, "holder": str(claimed.holder)})
    return bool(died)


def narrow(lease: Lease, claimed: Claimed) -> int | None:
    """Let *lease* read nothing but the next step of a shard on probation, or end that.

    Return the id of the row that was parked for killing relays, if this step was one.
    """
    head = lease.head(claimed, STEP_ROWS)
    ids = step(head)
    killer = head[0][0] if head and head[0][1] >= DEATHS else None
    if not ids:
        lease.execute(queries.END_ISOLATION, {"shard": claimed.shard})
    elif killer is not None:
        lease.execute(queries.PARK, {"ids": [killer], "errors": [KILLED]})
    lease.narrow(claimed.shard, ids[-1] if ids and killer is None else 0)
    return killer
