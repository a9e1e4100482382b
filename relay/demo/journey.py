"""The way of a host into its cluster, with statuses and stages in their real order."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

DISCOVERING: Final = "discovering"
KNOWN: Final = "known"
INSTALLED: Final = "installed"
STATUSES: Final = (
    DISCOVERING,
    "insufficient",
    KNOWN,
    "preparing-for-installation",
    "installing",
    "installing-in-progress",
    INSTALLED,
)
STAGES: Final = (
    "Starting installation",
    "Writing image to disk",
    "Rebooting",
    "Configuring",
    "Joined",
    "Done",
)
VALIDATIONS: Final = ("has-min-memory", "ntp-synced", "belongs-to-majority-group")


class Step(NamedTuple):
    """One transaction of a host: where it is afterwards, and the validation that failed or passed.

    *passed* is of a validation alone: False when it failed, True when it recovered.
    """

    status: str
    stage: str | None = None
    validation: str | None = None
    passed: bool = False


def journey(random: Random) -> Iterator[Step]:
    """Yield the steps of one host after its discovery; up to two validations fail and recover."""
    for validation in random.sample(VALIDATIONS, k=random.choice((0, 1, 1, 2))):
        yield Step("insufficient", validation=validation)
        yield Step("insufficient", validation=validation, passed=True)
    yield Step(KNOWN)
    yield Step("preparing-for-installation")
    yield Step("installing", STAGES[0])
    for stage in STAGES[1:-1]:
        yield Step("installing-in-progress", stage)
    yield Step(INSTALLED, STAGES[-1])


def cluster_status(hosts: Sequence[Step]) -> str:
    """Return the status of a cluster whose hosts have come so far."""
    ranks = [STATUSES.index(host.status) for host in hosts]
    if min(ranks) < STATUSES.index(KNOWN):
        return "insufficient"
    if all(host.status == INSTALLED for host in hosts):
        return INSTALLED
    if all(host.stage in {"Joined", "Done"} for host in hosts):
        return "finalizing"
    furthest = STATUSES[max(ranks)]
    if furthest == KNOWN:
        return "ready"
    return furthest if furthest == "preparing-for-installation" else "installing"
