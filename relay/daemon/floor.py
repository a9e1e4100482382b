"""The floor: below which no row is pending, and none can still appear.

Deleted rows stay in the index while any old transaction pins them, and every query that starts at
the first id walks over all of them. A floor lets queries start behind them. It must be exact, or a
row that commits late is never seen, so it is built on locks: an insert locks the table before it
draws an id. Whatever was drawn by now is decided as soon as all transactions that hold that lock
now have ended.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relay.settings import SHARDS

PATIENCE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """How far ids were drawn, and then who may still commit one of them."""

    drawn: int
    requeues: int
    now_ms: int
    writers: frozenset[str]


@dataclass(frozen=True, slots=True)
class First:
    """The oldest pending row of a shard."""

    id: int
    created_ms: int


class Floors:
    """A floor for each shard.

    A transaction that wrote to the outbox and stays open would stop the floors for as long as it
    lives. After ``PATIENCE_SECONDS`` they go on without it, and start again from what is proven
    when it has ended, so that its rows are found one refresh later.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.requeues = -1
        self.ids = [0] * SHARDS
        self._proven = [0] * SHARDS
        self._drawn = 0
        self._decided_upto = 0
        self._mark: Sample | None = None
        self._seen_since: dict[str, float] = {}
        self._overlooked: frozenset[str] = frozenset()

    def reset(self) -> None:
        """Look from the beginning again: a hold was lifted, or the connection is a new one."""
        self.ids = [0] * SHARDS
        self._proven = [0] * SHARDS
        self._decided_upto = 0
        self._mark = None
        self._overlooked = frozenset()

    def observe(self, sample: Sample) -> int | None:
        """Take *sample* in; return the id up to which all is decided, or None if that is open."""
        if sample.requeues != self.requeues or sample.drawn < self._drawn:
            self.reset()
        self.requeues, self._drawn = sample.requeues, sample.drawn
        now = self._clock()
        self._seen_since = {w: self._seen_since.get(w, now) for w in sample.writers}
        if self._overlooked - sample.writers:
            self.ids = list(self._proven)
            self._decided_upto = 0
            self._overlooked, self._mark = frozenset(), None
        decided = self._decided(sample.writers, now)
        self._decided_upto = decided or self._decided_upto
        if decided is not None or self._mark is None:
            self._mark = sample
        return decided

    def raise_to(self, decided: int, firsts: Mapping[int, First]) -> None:
        """Move the floors up to *decided*, but below the first pending row of each shard."""
        for shard in range(SHARDS):
            first = firsts.get(shard)
            floor = decided if first is None else min(decided, first.id - 1)
            self.ids[shard] = max(self.ids[shard], floor)
        if not self._overlooked:
            self._proven = list(self.ids)

    def passed(self, read_upto: Mapping[int, int]) -> None:
        """Move the floors of shards of which every row up to an id was read and settled."""
        for shard, id_ in read_upto.items():
            self.ids[shard] = max(self.ids[shard], min(id_, self._decided_upto))
        if not self._overlooked:
            self._proven = list(self.ids)

    def _decided(self, writers: frozenset[str], now: float) -> int | None:
        if self._mark is None:
            return None
        blockers = self._mark.writers & writers
        overdue = {w for w in blockers if now - self._seen_since[w] > PATIENCE_SECONDS}
        if blockers - overdue:
            return None
        self._overlooked |= overdue
        return self._mark.drawn
