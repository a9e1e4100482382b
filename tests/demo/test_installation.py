"""The simulated installation: hosts and clusters go through their statuses in the real order."""

import random
from collections import defaultdict
from itertools import pairwise

import pytest
from sqlalchemy import create_engine

from relay.demo.installation import Installation
from relay.demo.journey import STAGES, STATUSES, Step, cluster_status, journey
from relay.demo.tables import Base, track
from relay.service.outbox import Outbox
from tests.support.postgres import Database

CLUSTER_STATUSES = (
    "insufficient",
    "ready",
    "preparing-for-installation",
    "installing",
    "finalizing",
    "installed",
)


@pytest.mark.parametrize("seed", range(20))
def test_a_host_never_goes_back(seed: int) -> None:
    steps = list(journey(random.Random(seed)))
    ranks = [STATUSES.index(step.status) for step in steps]
    assert ranks == sorted(ranks)
    assert steps[-1] == Step("installed", "Done")
    assert [step.stage for step in steps if step.stage] == list(STAGES)


def test_joined_comes_before_done() -> None:
    assert STAGES.index("Rebooting") < STAGES.index("Joined") < STAGES.index("Done")


def test_each_validation_that_fails_recovers_before_the_host_is_known() -> None:
    failed = 0
    for seed in range(20):
        open_ones: set[str] = set()
        for step in journey(random.Random(seed)):
            if step.validation is None:
                assert not open_ones
            elif step.passed:
                open_ones.remove(step.validation)
            else:
                open_ones.add(step.validation)
                failed += 1
    assert failed > 0


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([Step("discovering"), Step("known")], "insufficient"),
        ([Step("known"), Step("known")], "ready"),
        ([Step("preparing-for-installation"), Step("known")], "preparing-for-installation"),
        ([Step("installing", STAGES[0]), Step("known")], "installing"),
        ([Step("installed", "Done"), Step("known")], "installing"),
        ([Step("installed", "Done"), Step("installing-in-progress", "Joined")], "finalizing"),
        ([Step("installed", "Done"), Step("installed", "Done")], "installed"),
    ],
)
def test_a_cluster_stands_where_its_hosts_let_it(hosts: list[Step], status: str) -> None:
    assert cluster_status(hosts) == status


def test_what_it_writes_tells_the_story_in_its_order(database: Database) -> None:
    engine = create_engine(database.dsn.replace("postgresql://", "postgresql+psycopg://", 1))
    Base.metadata.create_all(engine)
    outbox = Outbox(streaming=True)
    track(outbox)
    installation = Installation(engine, outbox, seed=7)
    installation.register()
    name = installation.name
    while installation.status != "installed":
        installation.step()
    assert installation.progress == 100
    assert installation.rolled_back > 0
    with database.connect() as connection:
        events = connection.execute("SELECT name, payload FROM outbox ORDER BY id").fetchall()
    changes = defaultdict(list)
    stages = defaultdict(list)
    for kind, payload in events:
        assert payload.get("validation") != "false-alarm"
        about = payload.get("host_name") or payload.get("cluster_name")
        if kind in {"HostStatusUpdated", "ClusterStatusUpdated"}:
            changes[about].append((payload["old"], payload["new"]))
        elif kind == "HostStageReached":
            stages[about].append(payload["stage"])
    assert [new for _, new in changes.pop(name)] == list(CLUSTER_STATUSES[1:])
    assert set(stages) == set(changes) == {"host-0", "host-1", "host-2"}
    assert all(reached == list(STAGES) for reached in stages.values())
    for moves in changes.values():
        assert (moves[0][0], moves[-1][1]) == ("discovering", "installed")
        assert all(before[1] == after[0] for before, after in pairwise(moves))
    installation.step()
    assert (installation.name != name, installation.status) == (True, "insufficient")
    outbox.close()
    engine.dispose()
