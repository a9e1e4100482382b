"""The timeline of a soak: writers all along, one fault after the other, then the account."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relay.demo.history import bound
from tests.soak.account import Account, account
from tests.soak.faults import faults
from tests.soak.faults.fault import Fault
from tests.soak.recovery import last_id, wait_until_gone
from tests.soak.settings import LEASE_ROWS
from tests.soak.stage import Say, Stage, stage
from tests.soak.writers import BUSY_SECONDS, QUIET_SECONDS, Writers

BETWEEN_SECONDS: Final = (0.2, 1.5)
DRAIN_SECONDS: Final = 120.0
PAUSES: Final = (BUSY_SECONDS, BUSY_SECONDS, QUIET_SECONDS)


@dataclass(frozen=True)
class Plan:
    """Faults for so many *seconds*, chosen by *seed* among *only* these, or all, on the *relays*.

    Recoveries may take *patience* times as long as promised: the machine may have other work.
    """

    seconds: float
    seed: int
    relays: int
    patience: float = 1.0
    only: Sequence[str] = ()


class Soak:
    """Faults as *plan* says, told to *say*."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self._plan = plan
        self._say = say
        self._random = random.Random(plan.seed)
        known = faults(plan.relays)
        self._faults = {name: known[name] for name in plan.only or known}
        self._injected: Counter[str] = Counter()
        self._began_ms: list[int] = []
        self._recoveries: dict[str, float] = {}
        self.violations: list[str] = []

    def run(self) -> dict[str, Any]:
        """Break things, heal, drain and judge; return what the last line shows."""
        with stage(self._plan.relays, self._say) as on:
            writers = Writers(on.pooled, self._plan.seed)
            writers.start()
            ends_at = time.monotonic() + self._plan.seconds
            for name, fault in _endless(self._faults, self._random):
                if time.monotonic() >= ends_at:
                    break
                writers.pause_seconds = self._random.choice(PAUSES)
                self._happen(on, name, fault)
                time.sleep(self._random.uniform(*BETWEEN_SECONDS))
            writers.stop()
            self.violations += writers.died
            self._drain(on)
            self._say("judging")
            found = account(on, self._injected, self._began_ms)
        return self._result(found) | {"interrupted_writes": writers.interrupted}

    def _happen(self, on: Stage, name: str, fault: Fault) -> None:
        """Let *fault* happen, and wait until everything written before is delivered."""
        self.violations += [f"ended by itself: {each.output}" for each in on.fallen_relays()]
        self._say(f"{name} ...")
        self._injected[name] += 1
        self._began_ms.append(int(time.time() * 1000))
        clean_up = fault.inject(on, self._random)
        limit = fault.recovers_within_seconds * self._plan.patience
        try:
            took = wait_until_gone(on, last_id(on), limit)
        except TimeoutError as error:
            self.violations.append(f"{name}: {error}")
            took = limit
        if clean_up is not None:
            clean_up(on)
        self._recoveries[name] = max(self._recoveries.get(name, 0.0), round(took, 2))
        self._say(f"{name}: recovered in {took:.1f} s")

    def _drain(self, on: Stage) -> None:
        self._say("draining")
        try:
            wait_until_gone(on, last_id(on), DRAIN_SECONDS)
        except TimeoutError as error:
            self.violations.append(f"drain: {error}")
        codes = [relay.terminate() for relay in on.relays]
        if any(codes):
            self.violations.append(f"relays ended with exit codes {codes}")

    def _result(self, found: Account) -> dict[str, Any]:
        leases = sum(self._faults[name].leases * n for name, n in self._injected.items())
        limit = bound(leases, LEASE_ROWS)
        if not found.clean:
            self.violations.append(f"a promise was broken: {dict(found.broken)}")
        if found.parked != found.poison:
            self.violations.append(f"{found.parked} rows are parked, not {found.poison}")
        if found.verdict.duplicates > limit:
            self.violations.append("more duplicates than leases explain")
        return {
            "committed": found.verdict.committed,
            "delivered": found.verdict.delivered,
            "lost": found.verdict.lost,
            "phantoms": found.verdict.phantoms,
            "duplicates": found.verdict.duplicates,
            "duplicates_bound": limit,
            "inversions": found.verdict.inversions,
            "faults": dict(sorted(self._injected.items())),
            "recovery_seconds_max": max(self._recoveries.values(), default=0.0),
            "recovery_seconds": dict(sorted(self._recoveries.items())),
            "duplicates_of_one_fault_max": max(found.verdict.by_crash, default=0),
            "altered": found.verdict.altered,
            "premature": found.verdict.premature,
            "poison": found.poison,
            "parked": found.parked,
            "innocents_parked": found.innocents_parked,
            "seed": self._plan.seed,
            "violations": self.violations,
        }


def _endless(known: Mapping[str, Fault], source: random.Random) -> Iterator[tuple[str, Fault]]:
    """Yield every fault once, in a random order, then all again in another."""
    names = sorted(known)
    while True:
        for name in source.sample(names, len(names)):
            yield name, known[name]
