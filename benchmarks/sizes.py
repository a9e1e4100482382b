"""How large a run is: the full one, and the same scaled down."""

from dataclasses import dataclass
from typing import Final

FULL_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows and seconds of each measurement. *rows* is the largest backlog."""

    rows: int = FULL_ROWS

    @property
    def short(self) -> bool:
        """Whether the large figures are scaled down."""
        return self.rows < FULL_ROWS

    @property
    def drain(self) -> int:
        """Rows of one drain: enough for several seconds."""
        return min(3 * self.rows, 200_000)

    @property
    def small_backlog(self) -> int:
        """What a large backlog is compared with."""
        return min(self.rows // 2, 50_000)

    @property
    def dead(self) -> int:
        """Dead rows that a transaction elsewhere keeps from vacuum."""
        return self.rows // 2

    @property
    def misdirected(self) -> int:
        """Rows for a topic that does not exist."""
        return self.rows // 10

    @property
    def refused(self) -> int:
        """Rows that Kafka refuses, where they are many."""
        return self.rows // 100

    @property
    def repeats(self) -> int:
        """How often the sides of a ratio are measured in turn."""
        return 3 if self.short else 5

    @property
    def latency_seconds(self) -> int:
        """How long events are written at a steady rate."""
        return 10 if self.short else 30

    @property
    def silences(self) -> int:
        """How many first events after a silence are timed."""
        return 3 if self.short else 20

    @property
    def writing_seconds(self) -> float:
        """How long the writers of one side of a comparison write."""
        return 3 if self.short else 10

    @property
    def rate_seconds(self) -> float:
        """How long a relay is watched at one rate."""
        return 10 if self.short else 30

    @property
    def bursts(self) -> int:
        """How many bursts wake a relay that sleeps."""
        return 3 if self.short else 10
