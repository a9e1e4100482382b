"""Rows of the outbox, and the outcomes of their delivery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One pending row, as the claim reads it."""

    id: int
    event_id: str
    shard: int
    topic: str | None
    key: str | None
    name: str
    # None: the row is too large for any topic, and its values were not read.
    payload: str | None
    metadata: str | None
    headers: str | None
    created_ms: int
    size: int


def column(*names: str) -> Callable[[Row], Any]:
    """Return a reader of these columns of a row, by position: by name takes twice the time."""
    return itemgetter(*map(Row._fields.index, names))


class Reason(StrEnum):
    """Reason why a row was not delivered: the labels of the failure metrics."""

    TOO_LARGE = "too_large"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNKNOWN_NAME = "unknown_name"
    UNDELETABLE = "undeletable"
    KILLED_RELAY = "killed_relay"
    HELD = "held"
    SUSPECT = "suspect"
    BLOCKED = "blocked"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Delivered:
    """Kafka acknowledged the rows: they can be deleted."""

    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The row itself cannot be published, which was shown with the row alone: it is parked."""

    row: Row
    reason: Reason
    error: str


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The rows stay as they are; something around them failed."""

    rows: Sequence[Row]
    reason: Reason


Outcome = Delivered | Rejected | Undelivered
