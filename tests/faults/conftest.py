import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.faults.stream import Stream
from tests.support.load import stretched
from tests.support.outbox import Consume, Start
from tests.support.process import ProcessUnderTest

# Of the settings in `impatient`.
LEASE_TIMEOUT_SECONDS = 3.0
# What is promised of a lease whose relay died, and of one whose relay froze or vanished.
AFTER_A_KILL_SECONDS = 5.0
AFTER_A_FREEZE_SECONDS = LEASE_TIMEOUT_SECONDS + 5.0
# The clients of database and broker have to notice that it is over.
AFTER_AN_OUTAGE_SECONDS = 5.0

# The promises are of a machine to itself; beside other workers relays get a part of the processors,
# and of the disk.
ALLOWANCE = 1.5 if "PYTEST_XDIST_WORKER" in os.environ else 1.0

Recovery = Callable[[float], AbstractContextManager[None]]


@pytest.fixture
def recovery(record_property: Callable[[str, object], None]) -> Recovery:
    """Time what follows the fault: `with recovery(10.0): ...` fails where it takes longer."""

    @contextmanager
    def timed(within_seconds: float) -> Iterator[None]:
        begun = time.monotonic()
        yield
        seconds = time.monotonic() - begun
        record_property("recovery_seconds", round(seconds, 2))
        assert seconds < stretched(within_seconds * ALLOWANCE)

    return timed


@pytest.fixture
def stream(read: Consume) -> Callable[[], Stream]:
    """All that is on this test's topic now."""
    return lambda: Stream(read())


@pytest.fixture
def successor(relay: Start) -> Start:
    """Start a relay that is up, and stands still until it is sent SIGCONT."""

    def start(**changes: str) -> ProcessUnderTest:
        process = relay(**changes)
        process.wait_for_log("relaying to")
        process.send_signal(signal.SIGSTOP)
        process.wait_until_frozen()
        return process

    return start


@pytest.fixture
def impatient() -> dict[str, str]:
    """Settings under which a lease is lost after three seconds."""
    return {
        "RELAY_LEASE_TIMEOUT_SECONDS": str(LEASE_TIMEOUT_SECONDS),
        "RELAY_DELIVERY_BUDGET_SECONDS": "2",
        "RELAY_LEASE_SECONDS": "1",
        "RELAY_STALL_SECONDS": "1",
        "RELAY_BACKOFF_MAX_SECONDS": "1",
    }
