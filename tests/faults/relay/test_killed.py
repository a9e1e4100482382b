"""kill -9 at every point of a lease: another relay carries on, and nothing is lost."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.conftest import AFTER_A_KILL_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

ROWS = 6_000
LEASE_ROWS = 1_000
SHARDS = 16
# The first lease after an idle moment is a small one; the next ones are full.
SMALL_LEASES = {"RELAY_LEASE_ROWS": str(LEASE_ROWS), "RELAY_CHUNK_ROWS": "200"}


@dataclass
class Aftermath:
    """How many leases the victim had committed, and what is on the topic in the end."""

    leases: int
    stream: Stream


@pytest.fixture
def killed(
    outbox: Outbox,
    sabotaged: Start,
    successor: Start,
    stream: Callable[[], Stream],
    recovery: Recovery,
) -> Callable[[str, int], Aftermath]:
    """Kill a relay at a point, let another one finish, and check what holds after every kill."""
    other = successor(**SMALL_LEASES)

    def kill(point: str, countdown: int) -> Aftermath:
        outbox.fill(ROWS, keys=60)
        victim = sabotaged("SIGKILL", point, countdown, **SMALL_LEASES)
        assert victim.wait() == -signal.SIGKILL
        # A lease ends when it has less than one row for each of its shards left.
        leases = round((ROWS - outbox.count()) / LEASE_ROWS)
        with recovery(AFTER_A_KILL_SECONDS):
            other.send_signal(signal.SIGCONT)
            outbox.await_empty("true")
        aftermath = Aftermath(leases, stream())
        assert aftermath.stream.rows == ROWS
        assert aftermath.stream.inversions == 0
        assert aftermath.stream.duplicates <= LEASE_ROWS
        return aftermath

    return kill


def test_kill_9_after_claim(killed: Callable[[str, int], Aftermath]) -> None:
    aftermath = killed("claim", 4)
    assert aftermath.leases == 2
    assert aftermath.stream.duplicates == 0


def test_kill_9_after_produce(killed: Callable[[str, int], Aftermath]) -> None:
    aftermath = killed("produce", LEASE_ROWS + 300)
    assert aftermath.leases == 1
    assert aftermath.stream.duplicates <= 300


def test_kill_9_after_ack(killed: Callable[[str, int], Aftermath]) -> None:
    aftermath = killed("ack", 3)
    assert aftermath.leases == 1
    assert aftermath.stream.duplicates > LEASE_ROWS - SHARDS


def test_kill_9_after_delete(killed: Callable[[str, int], Aftermath]) -> None:
    # Deleted, but not committed: all rows come back, those without an acknowledgement among them.
    aftermath = killed("delete", 1)
    assert aftermath.leases == 0
    assert aftermath.stream.duplicates > 0


def test_kill_9_during_commit(killed: Callable[[str, int], Aftermath]) -> None:
    # The commit is on the wire, and nobody waits for its answer: either it counts or it does not.
    aftermath = killed("commit", 3)
    assert aftermath.leases in {1, 2}
    repeated = aftermath.stream.duplicates
    assert repeated == 0 if aftermath.leases == 2 else repeated > LEASE_ROWS - SHARDS
