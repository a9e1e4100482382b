"""A fault: one short story. It happens, it lasts, and it is over."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.soak.settings import LEASE_TIMEOUT_SECONDS
from tests.soak.stage import Stage
from tests.support.tcp_proxy import Mode, TcpProxy

# From the moment when all is well again, or when another relay could take over.
AFTER_A_KILL_SECONDS: Final = 5.0
AFTER_A_FREEZE_SECONDS: Final = LEASE_TIMEOUT_SECONDS + 5.0
# The lease of a backend that waits for a vanished peer, and the longest back-off behind it.
AFTER_AN_OUTAGE_SECONDS: Final = LEASE_TIMEOUT_SECONDS + 10.0

CleanUp = Callable[[Stage], None]
Inject = Callable[[Stage, random.Random], CleanUp | None]


@dataclass(frozen=True, slots=True)
class Fault:
    """*inject* returns when recovery begins; what it returns is called when that is complete.

    *leases* is how many relays may have to repeat a lease for it.
    """

    inject: Inject
    recovers_within_seconds: float
    leases: int = 0


def outage(inject: Inject, leases: int) -> Fault:
    """Return a fault that relays notice only by timeouts, and get over after a back-off."""
    return Fault(inject, AFTER_AN_OUTAGE_SECONDS, leases)


def network(proxies: Callable[[Stage, random.Random], list[TcpProxy]], mode: Mode) -> Inject:
    """Return a fault of the network that lasts for some seconds."""

    def inject(stage: Stage, source: random.Random) -> None:
        faulty = proxies(stage, source)
        for proxy in faulty:
            proxy.mode = mode
        time.sleep(source.uniform(0.5, 6))
        for proxy in faulty:
            proxy.mode = Mode.PASS

    return inject
