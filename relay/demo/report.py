"""The demo's account: transactions and messages."""

from dataclasses import asdict, dataclass
from typing import Self

from relay.demo.history import Verdict


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

    @classmethod
    def of(cls, verdict: Verdict, rolled_back: int) -> Self:
        """Return the report of a history with *rolled_back* transactions that came to nothing."""
        return cls(
            committed=verdict.committed,
            rolled_back=rolled_back,
            delivered=verdict.delivered,
            lost=verdict.lost,
            phantoms=verdict.phantoms,
            duplicates=verdict.duplicates,
            out_of_order=verdict.inversions,
        )

    @property
    def clean(self) -> bool:
        """True if every promise was kept; duplicates are allowed after a fault."""
        return not (self.lost or self.phantoms or self.out_of_order)

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)
