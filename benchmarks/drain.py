"""One relay against the bare halves of its work, and four relays against one."""

from functools import partial
from statistics import median
from typing import Final

from benchmarks.backlog import Backlog
from benchmarks.figures import Figures, in_turn
from benchmarks.halves import claim_and_delete, raw_produce
from benchmarks.rate import TopicSize
from benchmarks.stage import PARTITIONS, Stage

_WARM_UPS: Final = 3


def measure(stage: Stage) -> Figures:
    """Return the rates of the halves, of one relay, and the ratios."""
    rates = in_turn(
        stage,
        {
            "librdkafka alone": partial(raw_produce, stage),
            "SQL alone": partial(claim_and_delete, stage),
            "one relay": partial(drain, stage, relays=1),
            "four relays": partial(drain, stage, relays=4),
        },
    )
    produce, claim, one, four = (median(rates[name]) for name in rates)
    limit = 1 / (1 / produce + 1 / claim)
    return {
        "raw_produce_per_s": produce,
        "raw_claim_delete_per_s": claim,
        "sequential_limit_per_s": limit,
        "drain_per_s": one,
        "drain_ratio": one / limit,
        "four_relays_ratio": four / one,
    }


def drain(stage: Stage, *, relays: int) -> float:
    """Let *relays* relays publish a waiting backlog; return rows a second."""
    with (
        stage.backlog() as backlog,
        stage.topic() as topic,
        stage.relays(backlog, topic, count=relays),
    ):
        return published(stage, backlog, topic)


def published(
    stage: Stage, backlog: Backlog, topic: str, *, misdirected: int = 0, refused: int = 0
) -> float:
    """Let the relays that run here publish rows that were held back; return rows a second.

    *misdirected* rows for a topic that does not exist come before them, and *refused* rows without
    a key for one that is compacted.
    """
    rows = stage.sizes.drain
    with backlog.held_back():
        backlog.fill(misdirected, topic=f"{topic}-missing")
        backlog.fill(refused, topic=f"{topic}-compacted", keyed=False)
        ids = backlog.fill(rows)
        size = TopicSize(stage.kafka.bootstrap, topic, PARTITIONS)
    rate = size.rate_until(rows)
    backlog.await_empty()
    stage.account.check(stage.kafka.bootstrap, topic, ids)
    return rate


def warm_up(stage: Stage) -> None:
    """Let the broker compile itself: its first minute is three times slower than the others."""
    stage.progress.note("warming up")
    for _ in range(_WARM_UPS):
        raw_produce(stage)
    drain(stage, relays=1)
