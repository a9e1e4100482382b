"""Judges a history: what was committed, against what a consumer read.

Every promise that can be seen from outside has a count here that must be 0. The demo, the
benchmark and the fault tests judge with it.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

EXAMPLES: Final = 5
KINDS: Final = ("lost", "phantoms", "duplicates", "inversions", "altered", "premature")


class Written(NamedTuple):
    """A committed row. *seq* is its place in the order of its key."""

    seq: int
    event_id: Hashable
    key: str | None


class Read(NamedTuple):
    """A message, in the order of its partition.

    *content* stands for all its bytes: two copies are alike when theirs are equal. *appended_ms* is
    when the broker took it, by the clock that also timed the deletions.
    """

    seq: int
    event_id: Hashable
    key: str | None
    content: Hashable = None
    appended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts; *examples* names a few ids of each kind of violation.

    *lost*: committed, never read. *phantoms*: read, never committed. *duplicates*: copies beyond
    the first. *inversions*: first appearances behind a later one of their key. *altered*: copies
    unlike the first. *premature*: rows deleted before the broker had them. *by_crash*: how many of
    the duplicates followed each crash, and no later one.
    """

    committed: int
    delivered: int
    lost: int
    phantoms: int
    duplicates: int
    inversions: int
    altered: int
    premature: int
    examples: Mapping[str, tuple[Hashable, ...]] = field(default_factory=dict)
    by_crash: tuple[int, ...] = ()

    @property
    def clean(self) -> bool:
        """True if every promise was kept. Duplicates have a bound of their own: see `bound`."""
        return not (self.lost or self.phantoms or self.inversions or self.altered or self.premature)


def judge(
    committed: Iterable[Written],
    read: Iterable[Read],
    deleted_ms: Mapping[Hashable, int] | None = None,
    crashes_ms: Sequence[int] = (),
) -> Verdict:
    """Compare what was *committed* with what was *read*.

    *deleted_ms*: when rows left the outbox, where that was recorded. *crashes_ms*: when leases were
    lost, in ascending order.
    """
    judge = _Judge({row.event_id for row in committed}, deleted_ms or {}, crashes_ms)
    for message in read:
        judge.hear(message)
    return judge.verdict()


def bound(crashes: int, lease_rows: int) -> int:
    """Return how many duplicates *crashes* ends of leases may leave behind: one lease each."""
    return crashes * lease_rows


class _Judge:
    def __init__(
        self,
        wanted: set[Hashable],
        deleted_ms: Mapping[Hashable, int],
        crashes_ms: Sequence[int],
    ) -> None:
        self._wanted = wanted
        self._deleted_ms = deleted_ms
        self._crashes_ms = crashes_ms
        self._by_crash = [0] * len(crashes_ms)
        self._first: dict[Hashable, Hashable] = {}
        self._highest: dict[str, int] = {}
        self._count: Counter[str] = Counter()
        self._examples: defaultdict[str, list[Hashable]] = defaultdict(list)

    def hear(self, message: Read) -> None:
        if message.event_id in self._first:
            self._hear_copy(message)
        else:
            self._hear_first(message)

    def verdict(self) -> Verdict:
        for event_id in self._wanted - self._first.keys():
            self._note("lost", event_id)
        return Verdict(
            committed=len(self._wanted),
            delivered=len(self._wanted & self._first.keys()),
            **{kind: self._count[kind] for kind in KINDS},
            examples={kind: tuple(ids) for kind, ids in self._examples.items()},
            by_crash=tuple(self._by_crash),
        )

    def _hear_copy(self, message: Read) -> None:
        self._note("duplicates", message.event_id)
        crashes_before = bisect_right(self._crashes_ms, message.appended_ms or 0)
        if crashes_before:
            self._by_crash[crashes_before - 1] += 1
        if message.content != self._first[message.event_id]:
            self._note("altered", message.event_id)

    def _hear_first(self, message: Read) -> None:
        self._first[message.event_id] = message.content
        if message.event_id not in self._wanted:
            self._note("phantoms", message.event_id)
        if message.key is not None:
            highest = self._highest.get(message.key, message.seq)
            if message.seq < highest:
                self._note("inversions", message.event_id)
            self._highest[message.key] = max(message.seq, highest)
        deleted = self._deleted_ms.get(message.event_id)
        if deleted is not None and (message.appended_ms or deleted) > deleted:
            self._note("premature", message.event_id)

    def _note(self, kind: str, event_id: Hashable) -> None:
        self._count[kind] += 1
        if len(self._examples[kind]) < EXAMPLES:
            self._examples[kind].append(event_id)
