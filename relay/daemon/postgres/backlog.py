"""Backlog: pending rows, apart by what they wait for."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShardRows:
    """Pending rows of a shard, counted up to a limit, and those of them that are held."""

    shard: int
    paused: bool
    rows: int
    held: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Rows that can go, held rows, rows of paused shards, and the paused shards."""

    pending: int = 0
    held: int = 0
    paused: int = 0
    paused_shards: frozenset[int] = frozenset()


def backlog(shards: Sequence[ShardRows], limit: int, total: int) -> Backlog:
    """Return the backlog; where shards have *limit* rows or more, the rest is estimated.

    *total* is PostgreSQL's own estimate of all pending rows. What was not counted is taken to wait
    for the same things as what was counted in those shards.
    """
    counted = _sums(shards)
    full = _sums([each for each in shards if each.rows >= limit])
    rest = max(0, total - sum(counted)) if sum(full) else 0
    pending, held, paused = (
        count + rest * part // (sum(full) or 1) for count, part in zip(counted, full, strict=True)
    )
    return Backlog(pending, held, paused, frozenset(s.shard for s in shards if s.paused))


def _sums(shards: Sequence[ShardRows]) -> tuple[int, int, int]:
    return (
        sum(each.rows - each.held for each in shards if not each.paused),
        sum(each.held for each in shards if not each.paused),
        sum(each.rows for each in shards if each.paused),
    )
