"""Draining beside rows for a topic that does not exist."""

from functools import partial
from statistics import median

from benchmarks.drain import published
from benchmarks.figures import Figures, in_turn
from benchmarks.stage import Stage


def measure(stage: Stage) -> Figures:
    """Return the rate beside rows for a missing topic ÷ the rate without them."""
    rates = in_turn(
        stage,
        {
            "alone": partial(_drain, stage, 0),
            "beside a missing topic": partial(_drain, stage, stage.sizes.misdirected),
        },
    )
    alone, beside = (median(rates[name]) for name in rates)
    return {"missing_topic_ratio": beside / alone}


def _drain(stage: Stage, misdirected: int) -> float:
    with stage.backlog() as backlog, stage.topic() as topic, stage.relays(backlog, topic):
        return published(stage, backlog, topic, misdirected=misdirected)
