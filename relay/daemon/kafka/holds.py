"""What is on hold: topics and partitions that cannot be written for now."""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from relay.daemon.exclusions import Exclusions, TopicPartition

FIRST_HOLD_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Hold:
    until: float
    pause: float
    lifted: bool = False


class Holds:
    """Places on hold, each with a pause that doubles while trying again does not help."""

    def __init__(self, longest_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest_seconds
        self._clock = clock
        self._holds: dict[TopicPartition, _Hold] = {}
        # Changes whenever rows become readable again: watermarks then start from the beginning.
        self.lifted_total = 0

    def place(self, place: TopicPartition) -> float:
        """Put *place* on hold; return the seconds until it is tried again."""
        known = self._holds.get(place)
        pause = min(known.pause * 2, self._longest) if known else FIRST_HOLD_SECONDS
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        self._holds[place] = _Hold(self._clock() + pause, pause)
        return pause

    def due(self) -> list[TopicPartition]:
        """Return what is to be tried again now."""
        now = self._clock()
        return [p for p, hold in self._holds.items() if not hold.lifted and hold.until <= now]

    def lift(self, place: TopicPartition) -> None:
        """Let rows of *place* be read again. Its pause is kept until one is delivered."""
        self._holds[place].lifted = True
        self.lifted_total += 1

    def delivered(self, places: Iterable[TopicPartition]) -> None:
        """Forget lifted holds of *places*: they work again."""
        for place in places:
            for key in (place, TopicPartition(place.topic)):
                if (hold := self._holds.get(key)) and hold.lifted:
                    del self._holds[key]

    def covers(self, place: TopicPartition) -> bool:
        """Return whether rows for *place* must wait."""
        return any(
            (hold := self._holds.get(key)) is not None and not hold.lifted
            for key in (place, TopicPartition(place.topic))
        )

    @property
    def active(self) -> list[TopicPartition]:
        """Return all places on hold."""
        return [place for place, hold in self._holds.items() if not hold.lifted]

    def exclusions(self) -> Exclusions:
        """Return what the queries have to look past."""
        active = self.active
        return Exclusions(
            topics=tuple(sorted(p.topic for p in active if p.partition is None)),
            partitions=tuple(p for p in active if p.partition is not None),
        )

    def __bool__(self) -> bool:
        return bool(self._holds)
