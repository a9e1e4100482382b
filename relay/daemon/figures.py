"""Figures of the outbox, as the sampler measures them, and of the relay itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

POLL: Final = "poll"
DOORBELL: Final = "doorbell"


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of rows, and what keeps them, or the space of dead ones, from going.

    *pending* rows can go; those held or paused wait for something else, and those *left behind* in
    a table that was the outbox for a person. *lag_seconds* is the age of the oldest row that can go
    or was left behind.
    """

    lag_seconds: float
    pending: int
    held: int
    paused: int
    paused_shards: int
    left_behind: int
    parked: int
    bytes: int
    oldest_writer_seconds: float
    dead_tuples: int
    xmin_age_seconds: float
    xmin_age_transactions: int


@dataclass(frozen=True, slots=True)
class Report:
    """Report of a worker, or of all in a process: rows so far, shards held, and what fails.

    Of *holds*, *broker_errors* and *topics* each is an object, as it is stored in outbox_relay.
    """

    published: int = 0
    parked: int = 0
    leased_shards: int = 0
    missed: int = 0
    holds: Sequence[Mapping[str, Any]] = ()
    broker_errors: Sequence[Mapping[str, Any]] = ()
    topics: Sequence[Mapping[str, Any]] = ()
    # What the database refused it last; None where that is over.
    fault: str | None = None
    # How it learns of new rows.
    wake_up: str = POLL


@dataclass(frozen=True, slots=True)
class Flag:
    """ENABLE_EVENT_STREAMING: as this relay is told, and the living relays told otherwise."""

    streaming: bool
    others: tuple[str, ...] = ()


def summed(
    reports: Sequence[Report], missed: int = 0, published: Mapping[str, int] | None = None
) -> Report:
    """Return one report of a whole process; *published*: its rows so far, by topic."""
    topics = {topic["topic"]: topic for report in reports for topic in report.topics}
    counts = dict.fromkeys(topics, 0) | dict(published or {})
    return Report(
        published=sum(report.published for report in reports),
        parked=sum(report.parked for report in reports),
        leased_shards=sum(report.leased_shards for report in reports),
        missed=missed,
        holds=[hold for report in reports for hold in report.holds],
        broker_errors=[error for report in reports for error in report.broker_errors],
        topics=[
            {"topic": name, "published": count} | dict(topics.get(name, {}))
            for name, count in counts.items()
        ],
        fault=next((report.fault for report in reports if report.fault), None),
        wake_up=DOORBELL if {report.wake_up for report in reports} == {DOORBELL} else POLL,
    )
