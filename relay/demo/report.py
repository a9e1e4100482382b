"""What was committed against what a consumer read."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple


class Written(NamedTuple):
    """A row that a transaction wrote and committed."""

    seq: int
    event_id: str
    key: str | None


class Read(NamedTuple):
    """A message, in the order in which the consumer got it."""

    seq: int
    event_id: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The counts; transactions that were rolled back are *rolled_back*, all others are messages."""

    committed: int
    rolled_back: int
    delivered: int
    lost: int
    phantoms: int
    duplicates: int
    out_of_order: int

    @property
    def clean(self) -> bool:
        """Whether every promise was kept; duplicates are allowed after a fault."""
        return not (self.lost or self.phantoms or self.out_of_order)

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def compare(written: Iterable[Written], rolled_back: int, read: Sequence[Read]) -> Report:
    """Compare what was committed with what was read, first appearances with the order of ids."""
    committed = {row.event_id for row in written}
    copies = Counter(message.event_id for message in read)
    return Report(
        committed=len(committed),
        rolled_back=rolled_back,
        delivered=len(committed & copies.keys()),
        lost=len(committed - copies.keys()),
        phantoms=len(copies.keys() - committed),
        duplicates=copies.total() - len(copies),
        out_of_order=_inversions(read),
    )


def _inversions(read: Sequence[Read]) -> int:
    seen: set[str] = set()
    highest: dict[str, int] = {}
    inversions = 0
    for message in read:
        if message.event_id in seen or message.key is None:
            continue
        seen.add(message.event_id)
        inversions += message.seq < highest.get(message.key, 0)
        highest[message.key] = max(message.seq, highest.get(message.key, 0))
    return inversions
