"""Rate limits: an event too close to the last one of its name for the same resource is not stored.

`outbox_event_admitted` of schema.sql decides, so that it holds across processes: transactions that
store such events of one resource wait for each other, and one that rolls back leaves no trace.
Events without a limit cost nothing.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from relay.formats.event_record import EventRecord

log = logging.getLogger(__name__)

COLUMNS: Final = ("event_id", "name", "resource", "event_time", "pause", "own_kind", "own_id")


class Limit(NamedTuple):
    """The limit on one event, in the texts of its record. *streamed*: also if it is not stored.

    *own_kind* and *own_id* are the subject that *resource* stands for, empty where it is none.
    """

    event_id: str
    name: str
    resource: str
    event_time: str
    pause: timedelta
    streamed: bool
    own_kind: str = ""
    own_id: str = ""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Shortest pause between stored events of one name and one resource, by name.

    *streamed*: events that are not stored are still streamed.
    """

    pauses: Mapping[str, timedelta] = field(default_factory=dict)
    streamed: bool = False

    def limit(self, event: EventRecord, owner: str, *, streaming: bool) -> Limit | None:
        """Return the limit on *event*, which belongs to the id in its field *owner*."""
        pause = self.pauses.get(event.name)
        if not pause:
            return None
        # What it is about most closely: a host, else what the class belongs to.
        streamed = streaming and self.streamed
        kind, subject = event.subject_kind, event.subject_id
        if event.host_id is None and kind and subject:
            return Limit(
                event.event_id, event.name, _standing_for(kind, subject), event.event_time, pause,
                streamed, kind, subject,
            )  # fmt: skip
        resource = event.host_id or getattr(event, owner, None)
        if resource is None:
            return None
        return Limit(event.event_id, event.name, resource, event.event_time, pause, streamed)


def _standing_for(kind: str, subject: str) -> str:
    """Return the id that stands for a *subject* of a domain of the service's own."""
    digest = hashlib.sha256(f"{kind} {subject}".encode()).digest()
    return str(UUID(bytes=digest[:16]))


def parameters(limits: Sequence[Limit]) -> dict[str, list[str]]:
    """Return one array for each of COLUMNS: in one order for everybody, against deadlocks."""
    ordered = sorted(limits, key=lambda limit: (limit.name, limit.resource))
    return {
        "limit_event_id": [limit.event_id for limit in ordered],
        "limit_name": [limit.name for limit in ordered],
        "limit_resource": [limit.resource for limit in ordered],
        "limit_event_time": [limit.event_time for limit in ordered],
        "limit_pause": [f"{limit.pause.total_seconds()} seconds" for limit in ordered],
        "limit_own_kind": [limit.own_kind for limit in ordered],
        "limit_own_id": [limit.own_id for limit in ordered],
    }


def warn(limits: Sequence[Limit], refused: frozenset[str]) -> None:
    """Log each event that is not stored."""
    for limit in limits:
        if limit.event_id in refused:
            log.warning(
                "event %s of %s is not stored%s: less than %s from the last one",
                limit.name, limit.resource, ", only streamed" if limit.streamed else "",
                limit.pause,
            )  # fmt: skip
