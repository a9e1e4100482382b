"""Draining beside rows that Kafka refuses, each by itself: without a key, for a compacted topic."""

from functools import partial
from statistics import median

from benchmarks.drain import published
from benchmarks.figures import Figures, in_turn
from benchmarks.stage import PARTITIONS, Stage
from tests.support.kafka.topics import create_topic, delete_topic

_FEW = 200


def measure(stage: Stage) -> Figures:
    """Return the rate beside few and beside many refused rows ÷ the rate without them."""
    rates = in_turn(
        stage,
        {
            "alone": partial(_drain, stage, 0),
            "beside few refused rows": partial(_drain, stage, _FEW),
            "beside many refused rows": partial(_drain, stage, stage.sizes.refused),
        },
    )
    alone, few, many = (median(rates[name]) for name in rates)
    return {"few_refused_ratio": few / alone, "many_refused_ratio": many / alone}


def _drain(stage: Stage, refused: int) -> float:
    with stage.backlog() as backlog, stage.topic() as topic, stage.relays(backlog, topic):
        compacted = f"{topic}-compacted"
        create_topic(
            stage.kafka.bootstrap,
            compacted,
            partitions=PARTITIONS,
            config={"cleanup.policy": "compact"},
        )
        try:
            return published(stage, backlog, topic, refused=refused)
        finally:
            delete_topic(stage.kafka.bootstrap, compacted)
