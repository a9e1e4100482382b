"""Rate limits: an event too close to the last one of its name for the same resource is not stored.

`outbox_event_admitted` of schema.sql decides, so that it holds across processes: transactions that
store such events of one resource wait for each other, and one that rolls back leaves no trace.
Events without a limit cost nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

log = logging.getLogger(__name__)


class Limit(NamedTuple):
    """The limit on one event, in the texts of its row. *streamed*: also where it is not stored."""

    event_id: str
    name: str
    resource: str
    event_time: str
    pause: timedelta
    streamed: bool


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How far apart events of a name must be, for one resource, to be stored.

    *streamed*: whether an event that is not stored is still streamed.
    """

    pauses: Mapping[str, timedelta] = field(default_factory=dict)
    streamed: bool = False


def statement(placeholder: str) -> str:
    """Return the query for the event ids that are not to be stored."""
    columns = ("event_id", "name", "resource", "event_time", "pause")
    arrays = ", ".join(f"cast({placeholder.format(f'limit_{c}')} as text[])" for c in columns)
    return (
        f"SELECT event_id FROM unnest({arrays}) AS l ({', '.join(columns)})"  # noqa: S608
        " WHERE NOT outbox_event_admitted("
        "name, cast(resource as uuid), cast(event_time as timestamptz), cast(pause as interval))"
    )


def parameters(limits: Sequence[Limit]) -> dict[str, list[str]]:
    """Return the parameters of the statement: in one order for everybody, against deadlocks."""
    ordered = sorted(limits, key=lambda limit: (limit.name, limit.resource))
    return {
        "limit_event_id": [limit.event_id for limit in ordered],
        "limit_name": [limit.name for limit in ordered],
        "limit_resource": [limit.resource for limit in ordered],
        "limit_event_time": [limit.event_time for limit in ordered],
        "limit_pause": [f"{limit.pause.total_seconds()} seconds" for limit in ordered],
    }


def warn(limits: Sequence[Limit], refused: frozenset[str]) -> None:
    """Log what is not stored."""
    for limit in limits:
        if limit.event_id in refused:
            log.warning(
                "event %s of %s is not stored%s: less than %s from the last one",
                limit.name, limit.resource, ", only streamed" if limit.streamed else "",
                limit.pause,
            )  # fmt: skip
