"""Every statement of the relay, with its reason.

The fragments in braces are filled in by ``with_exclusions``; values go in as parameters. Of
``{watermark | resume}`` it takes the first, or while a writer stays open the second: see
low_watermark.py.

Pending rows of a shard are found by comparing (shard, id) as a row, which no other index than
outbox_pending can serve. With an equal shard and a range of ids, statistics taken while few rows
lived made PostgreSQL walk along the primary key, through the rows of all other shards.
"""

from relay.daemon.postgres.queries.doorbell import (
    BELL,
    BELL_IS_SET,
    LOADED_UNTIL,
    RING,
    RING_UNTIL,
)
from relay.daemon.postgres.queries.exclusions import with_exclusions
from relay.daemon.postgres.queries.fragments import ALL_OPEN
from relay.daemon.postgres.queries.isolation import (
    BLAME,
    END_ISOLATION,
    FORGIVE,
    HEAD,
    START_ISOLATION,
    SURVIVE,
)
from relay.daemon.postgres.queries.lease import (
    AS_OURS,
    BEGIN,
    CLAIM,
    CLAIM_SMALL,
    COMMIT,
    LEASE_SETTINGS,
    LOCK,
    PROBE_DRAWN,
    SETTLE_SMALL,
    SMALL_LEASES,
)
from relay.daemon.postgres.queries.reading import FETCH, LARGE, OPEN, READ
from relay.daemon.postgres.queries.settling import (
    CHECK_AT_ONCE,
    DELETE,
    DELETE_FREE,
    IDS,
    LOCKED,
    NOTE_UNSETTLED,
    PARK,
    PROBE,
)
from relay.daemon.postgres.queries.survey import (
    BACKLOG,
    BELOW,
    DRAWN,
    FIRSTS,
    FORMER,
    LEFT_BEHIND,
    LOCKS,
    MEASURE,
    TRANSACTIONS,
    UNSETTLED,
)

__all__ = [
    "ALL_OPEN",
    "AS_OURS",
    "BACKLOG",
    "BEGIN",
    "BELL",
    "BELL_IS_SET",
    "BELOW",
    "BLAME",
    "CHECK_AT_ONCE",
    "CLAIM",
    "CLAIM_SMALL",
    "COMMIT",
    "DELETE",
    "DELETE_FREE",
    "DRAWN",
    "END_ISOLATION",
    "FETCH",
    "FIRSTS",
    "FORGIVE",
    "FORMER",
    "HEAD",
    "IDS",
    "LARGE",
    "LEASE_SETTINGS",
    "LEFT_BEHIND",
    "LOADED_UNTIL",
    "LOCK",
    "LOCKED",
    "LOCKS",
    "MEASURE",
    "NOTE_UNSETTLED",
    "OPEN",
    "PARK",
    "PROBE",
    "PROBE_DRAWN",
    "READ",
    "RING",
    "RING_UNTIL",
    "SETTLE_SMALL",
    "SMALL_LEASES",
    "START_ISOLATION",
    "SURVIVE",
    "TRANSACTIONS",
    "UNSETTLED",
    "with_exclusions",
]
