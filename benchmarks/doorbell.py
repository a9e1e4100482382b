"""The doorbell's price for writers, and a burst onto a relay that sleeps, for both sides."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final

from benchmarks.backlog import Backlog
from benchmarks.figures import Figures, in_turn
from benchmarks.latency import Arrivals, commit, percentile
from benchmarks.stage import Stage

WRITERS: Final = 8
BURST_PER_SECOND: Final = 2_000
BURST_SECONDS: Final = 0.1
_SILENCE_SECONDS: Final = 5.0
_INSERT: Final = "INSERT INTO outbox (key, name, payload) VALUES ('k', 'Host', '{}')"


def measure(stage: Stage) -> Figures:
    """Return the rate of writers whom nobody listens to, as a share of that without the trigger.

    And how long, at the 99th percentile, a commit takes in a burst, and its event.
    """
    found = in_turn(
        stage,
        {
            "writers, bell off": lambda: _rate(stage, trigger=True),
            "writers, no trigger": lambda: _rate(stage, trigger=False),
        },
    )
    off, none = (median(rates) for rates in found.values())
    return {"bell_off_ratio": off / none, **_burst(stage)}


def _rate(stage: Stage, *, trigger: bool) -> float:
    """Commits a second of all writers together, without a relay."""
    with stage.backlog() as backlog, ThreadPoolExecutor(WRITERS) as writers:
        if not trigger:
            backlog.connection.execute("ALTER TABLE outbox DISABLE TRIGGER outbox_inserted")
        seconds = [stage.sizes.writing_seconds] * WRITERS
        return sum(writers.map(_commits, [backlog] * WRITERS, seconds)) / seconds[0]


def _commits(backlog: Backlog, seconds: float) -> int:
    commits, begun = 0, time.monotonic()
    with backlog.database.connect(autocommit=True) as connection:
        while time.monotonic() - begun < seconds:
            connection.execute(_INSERT, prepare=True)
            commits += 1
    return commits


def _burst(stage: Stage) -> Figures:
    """Milliseconds within which 99 % of a burst's first tenth of a second commit, and arrive."""
    taken: list[float] = []
    late: list[float] = []
    with (
        stage.backlog() as backlog,
        stage.topic() as topic,
        stage.relays(backlog, topic),
        Arrivals(stage.kafka.bootstrap, topic) as arrivals,
        ThreadPoolExecutor(WRITERS) as writers,
    ):
        for number in range(stage.sizes.bursts):
            stage.progress.note(f"a burst, {number + 1} of {stage.sizes.bursts}")
            time.sleep(_SILENCE_SECONDS)
            begin = time.monotonic() + 0.1
            parts = writers.map(
                lambda writer, number=number, begin=begin: _part(
                    stage, backlog, f"{number}-{writer}", begin
                ),
                range(WRITERS),
            )
            committed = {key: times for part in parts for key, times in part.items()}
            arrived = arrivals.of(list(committed))
            taken += [then - begun for begun, then in committed.values()]
            late += [at - then for at, (_, then) in zip(arrived, committed.values(), strict=True)]
        backlog.await_empty()
    return {"burst_commit_p99_ms": percentile(taken, 99), "burst_p99_ms": percentile(late, 99)}


def _part(
    stage: Stage, backlog: Backlog, name: str, begin: float
) -> dict[str, tuple[float, float]]:
    """One writer's part of a burst; return when each key was begun and when committed."""
    committed: dict[str, tuple[float, float]] = {}
    with backlog.database.connect(autocommit=True) as connection:
        for number in range(int(BURST_PER_SECOND * BURST_SECONDS / WRITERS)):
            time.sleep(max(0.0, begin + number * WRITERS / BURST_PER_SECOND - time.monotonic()))
            key = f"burst-{name}-{number}"
            begun = time.monotonic()
            committed[key] = begun, commit(stage, connection, key)
    return committed
