"""Low watermark: the id below which no row is pending, and none can still appear.

Deleted rows stay in the index while any old transaction pins them, and every query that starts at
the first id walks over all of them. A watermark lets queries start behind them. It must be exact,
or a row that commits late is never seen, so it is built on locks: an insert locks the table before
it draws an id. Whatever was drawn by now is decided as soon as all transactions that hold that lock
now have ended.

While a writer stays open, watermarks stand still, and dead rows pile up above them. There is a
resume position then: below it, nothing can appear but what that writer writes. A statement may
start there if the writer is still open in its own snapshot, in which nothing of it is to be seen;
otherwise it starts at the watermark.

And it is a claim about one table, one sequence and one server. Their identity is the epoch: where
it has changed, or the sequence stands below what it had drawn, no watermark holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.settings import SHARDS

LOWEST_ID: Final = -(2**63)
NO_WATERMARKS: Final = (LOWEST_ID,) * SHARDS
_ALL: Final = range(SHARDS)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: the last id drawn, and then the writers that may still commit one of them."""

    drawn: int
    epoch: str
    now_ms: int
    writers: frozenset[str]

    def reached(self, later: "Sample") -> bool:
        """Return whether all of these writers have ended by the *later* sample."""
        return self.writers.isdisjoint(later.writers)


@dataclass(frozen=True, slots=True)
class First:
    """The oldest pending row of a shard."""

    id: int
    created_ms: int


@dataclass(frozen=True, slots=True)
class Lasting:
    """Writers that were open at two looks; all else up to the id *upto* is decided."""

    writers: frozenset[str]
    upto: int


class LowWatermarks:
    """Per-shard low watermarks, and resume positions beside writers that stay open.

    A transaction that wrote to the outbox and stays open stops the watermarks for as long as it
    lives. To go on without it would cost the order of its keys: what it writes last would be found
    before what it wrote first.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.drawn = 0
        self.ids = list(NO_WATERMARKS)
        self.decided_upto = LOWEST_ID
        # Transaction ids of writers; a position holds for whoever sees none of them.
        self.beside: Sequence[str] = ()
        self._resume = self.ids
        self._resume_upto = LOWEST_ID
        self._mark: Sample | None = None
        self._last: Sample | None = None

    @property
    def looked(self) -> bool:
        """True after a first look, with which the next one can be compared."""
        return self._last is not None

    @property
    def resume(self) -> Sequence[int]:
        """The resume positions; the watermarks, where no writer stays open."""
        return self._resume if self.beside else self.ids

    def reset(self) -> None:
        """Look from the beginning again: a hold was lifted, or the connection is a new one."""
        self.ids = list(NO_WATERMARKS)
        self.decided_upto = LOWEST_ID
        self._mark = self._last = None
        self.beside = ()

    def observe(self, sample: Sample) -> int | None:
        """Take *sample* in; return the id up to which all is decided, or None if that is open."""
        if sample.epoch != self.epoch or sample.drawn < self.drawn:
            self.reset()
        self.epoch, self.drawn = sample.epoch, sample.drawn
        # With no writer left, this very sample is decided.
        mark = self._mark if sample.writers else sample
        # The mark moves on when it was reached, and where nobody new keeps the sample undecided.
        if mark is None or mark.reached(sample) or sample.writers <= mark.writers:
            self._mark = sample
        if mark is None or not mark.reached(sample):
            return None
        self.decided_upto = mark.drawn
        return mark.drawn

    def lasting(self, sample: Sample) -> Lasting:
        """Compare *sample* with the look before it: who was open then, and is open still."""
        before, self._last = self._last, sample
        if before is None:
            return Lasting(frozenset(), LOWEST_ID)
        # What was drawn since by somebody who was not there yet belongs to none of them.
        upto = sample.drawn if sample.writers <= before.writers else before.drawn
        return Lasting(sample.writers & before.writers, upto)

    def resume_beside(
        self, transactions: Sequence[str], upto: int, firsts: Mapping[int, First]
    ) -> None:
        """Set the resume positions to *upto*, but below the first pending row of each shard.

        *transactions*: all that may still commit an id up to there. *firsts* were seen later.
        """
        self.beside = transactions
        self._resume_upto = upto
        self._resume = [max(self.ids[shard], _below(firsts.get(shard), upto)) for shard in _ALL]

    def pass_all(self, drawn: int) -> None:
        """Move all watermarks up to *drawn*: every row up to there is gone, and none undecided."""
        self.decided_upto = drawn
        self.raise_to(drawn, {})

    def raise_to(self, decided: int, firsts: Mapping[int, First]) -> None:
        """Move the watermarks up to *decided*, but below the first pending row of each shard."""
        self.beside = ()
        for shard in _ALL:
            self.ids[shard] = max(self.ids[shard], _below(firsts.get(shard), decided))

    def passed(self, read_upto: Mapping[int, int]) -> None:
        """Move the watermarks of shards of which every row up to an id was read and settled."""
        for shard, id_ in read_upto.items():
            self.ids[shard] = max(self.ids[shard], min(id_, self.decided_upto))
            if self.beside:
                self._resume[shard] = max(self._resume[shard], min(id_, self._resume_upto))


def _below(first: First | None, upto: int) -> int:
    return upto if first is None else min(upto, first.id - 1)
