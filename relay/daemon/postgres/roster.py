"""Roster: the table outbox_relay, in which every relay says how it is."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from relay.daemon.figures import Flag, Report
from relay.database.queries import KEEP_STATES
from relay.database.session import Connection

_TOPICS_MAX: Final = 100

# The first one says who it is; the rate is that since the last sign of life.
_SIGN: Final = """
INSERT INTO outbox_relay AS r (
    id, name, pid, version, seen_at, alive_until, streaming, topic, wake_up, published, parked,
    missed, leased_shards, holds, broker_errors, fault, topics
) VALUES (
    %(id)s, %(name)s, %(pid)s, %(version)s, clock_timestamp(),
    clock_timestamp() + make_interval(secs => %(alive_seconds)s), %(streaming)s, %(topic)s,
    %(wake_up)s, %(published)s, %(parked)s, %(missed)s, %(leased_shards)s, %(holds)s,
    %(broker_errors)s, %(fault)s, %(topics)s
)
ON CONFLICT (id) DO UPDATE
SET seen_at = EXCLUDED.seen_at,
    alive_until = EXCLUDED.alive_until,
    published = EXCLUDED.published,
    parked = EXCLUDED.parked,
    rate = (EXCLUDED.published - r.published)
           / greatest(extract(epoch FROM EXCLUDED.seen_at - r.seen_at), 0.001),
    missed = EXCLUDED.missed,
    leased_shards = EXCLUDED.leased_shards,
    holds = EXCLUDED.holds,
    broker_errors = EXCLUDED.broker_errors,
    fault = EXCLUDED.fault,
    topics = EXCLUDED.topics,
    wake_up = EXCLUDED.wake_up
"""

_LEAVE: Final = """
UPDATE outbox_relay
   SET ended_at = clock_timestamp(),
       seen_at = clock_timestamp(),
       drain_timed_out = %(drain_timed_out)s,
       published = %(published)s,
       parked = %(parked)s,
       rate = 0,
       leased_shards = 0
 WHERE id = %(id)s
"""

# What somebody looks for in the morning after is in the metrics; here is the present.
_FORGET: Final = """
DELETE FROM outbox_relay
 WHERE coalesce(ended_at, alive_until) < clock_timestamp() - interval '1 hour'
"""

# One that is off overrules none that is on, unless that ended in an orderly way: of one that
# crashed nobody knows that it was meant to go.
_RECORD_STREAMING: Final = """
UPDATE outbox_state
   SET streaming = %(streaming)s,
       streaming_by = %(name)s,
       streaming_at = clock_timestamp()
 WHERE streaming <> %(streaming)s
   AND (%(streaming)s
        OR NOT EXISTS (SELECT FROM outbox_relay WHERE streaming AND ended_at IS NULL))
"""

_TOLD_OTHERWISE: Final = """
SELECT name
  FROM outbox_relay
 WHERE streaming <> %(streaming)s
   AND ended_at IS NULL
   AND alive_until > clock_timestamp()
 ORDER BY name
"""

# Of all that live: each of them leaves these alone.
_HOLDS: Final = """
SELECT hold
  FROM outbox_relay, jsonb_array_elements(holds) AS hold
 WHERE ended_at IS NULL
   AND alive_until > clock_timestamp()
"""

_DRAIN_TIMEOUTS: Final = "SELECT count(*) FROM outbox_relay WHERE drain_timed_out"


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of one life of a relay, and what its settings tell it."""

    streaming: bool
    topic: str
    # Without a sign of life for so long it is taken for dead.
    alive_seconds: float
    # Names of states whose consumers know no `seq`.
    states: tuple[str, ...] = ()
    id: UUID = field(default_factory=uuid4)
    name: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    version: str = field(default_factory=lambda: version("outbox-relay"))


class Roster:
    """The row of one relay. Every method needs a transaction, and raises ``psycopg.Error``."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._signed_at = time.monotonic()
        self._published: Mapping[str, int] = {}

    def sign(self, connection: Connection, report: Report) -> Flag:
        """Give a sign of life, forget the dead, record flag and states. Return what others say."""
        parameters: dict[str, Any] = asdict(self.identity) | {
            "states": list(self.identity.states),
            "wake_up": report.wake_up,
            "published": report.published,
            "parked": report.parked,
            "missed": report.missed,
            "leased_shards": report.leased_shards,
            "holds": Jsonb(report.holds),
            "broker_errors": Jsonb(report.broker_errors),
            "fault": report.fault,
            "topics": Jsonb(self._rated(report.topics)),
        }
        connection.execute(_FORGET)
        connection.execute(_SIGN, parameters)
        connection.execute(_RECORD_STREAMING, parameters)
        if self.identity.streaming:
            connection.execute(KEEP_STATES, parameters)
        others = connection.execute(_TOLD_OTHERWISE, parameters).fetchall()
        return Flag(self.identity.streaming, tuple(name for (name,) in others))

    def leave(self, connection: Connection, report: Report, *, drain_timed_out: bool) -> None:
        """Say that this life is over, and how it ended."""
        connection.execute(_LEAVE, {
            "id": self.identity.id,
            "drain_timed_out": drain_timed_out,
            "published": report.published,
            "parked": report.parked,
        })  # fmt: skip

    def _rated(self, topics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the busiest *topics*, with their rates since the last sign of life."""
        now, before = time.monotonic(), self._published
        seconds = max(now - self._signed_at, 0.001)
        self._signed_at = now
        self._published = {topic["topic"]: topic["published"] for topic in topics}
        rated = [
            {
                **topic,
                "rate": round((topic["published"] - before.get(topic["topic"], 0)) / seconds, 1),
            }
            for topic in topics
        ]
        rated.sort(key=lambda topic: (topic["rate"], topic["published"]), reverse=True)
        return rated[:_TOPICS_MAX]

    def drain_timeouts(self, connection: Connection) -> int:
        """Return the relays that ended within the last hour with a lease under way."""
        row = connection.execute(_DRAIN_TIMEOUTS).fetchone()
        return row[0] if row else 0

    def holds(self, connection: Connection) -> list[dict[str, Any]]:
        """Return the holds of all living relays, as they last said."""
        return [hold for (hold,) in connection.execute(_HOLDS).fetchall()]
