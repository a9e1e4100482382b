"""A million rows that wait: how fast they go, and what a relay without Kafka needs for them."""

import time
from contextlib import ExitStack
from statistics import median
from typing import Final

import psutil

from benchmarks.backlog import Backlog
from benchmarks.figures import Figures
from benchmarks.rate import TopicSize
from benchmarks.stage import PARTITIONS, Stage
from relay.demo.ports import LOOPBACK, free_port

OUTAGE_SECONDS: Final = 20
_SAMPLE_SECONDS: Final = 0.1


def measure(stage: Stage) -> Figures:
    """Return the ratio of the rates with a large and a small backlog, and the memory."""
    small: list[float] = []
    large: list[float] = []
    memory: list[float] = []
    for number in range(1, stage.sizes.repeats + 1):
        stage.progress.note(f"a small and a large backlog, {number} of {stage.sizes.repeats}")
        small.append(_drain(stage, stage.sizes.small_backlog, memory))
        large.append(_drain(stage, stage.sizes.rows, memory))
        stage.progress.note(f"small {small[-1]:,.0f}/s, large {large[-1]:,.0f}/s")
    return {"backlog_ratio": median(large) / median(small), "rss_mib_outage": max(memory)}


def _drain(stage: Stage, rows: int, memory: list[float]) -> float:
    """Return the rate of the first rows of a backlog; the first large one waits for Kafka."""
    with stage.backlog() as backlog, stage.topic() as topic, ExitStack() as relays:
        # Statistics of the empty table, as an outbox has them that was empty for a long time.
        backlog.connection.execute("ALTER TABLE outbox SET (autovacuum_enabled = false)")
        backlog.connection.execute("ANALYZE outbox")
        ids = backlog.fill(rows)
        if rows == stage.sizes.rows and not memory:
            memory.append(_memory_without_kafka(stage, backlog, topic))
        with backlog.held_back():
            relays.enter_context(stage.relays(backlog, topic))
            size = TopicSize(stage.kafka.bootstrap, topic, PARTITIONS)
        rate = size.rate_until(stage.sizes.small_backlog)
        backlog.await_empty()
        stage.account.check(stage.kafka.bootstrap, topic, ids)
    return rate


def _memory_without_kafka(stage: Stage, backlog: Backlog, topic: str) -> float:
    """Return the largest resident memory of a relay that finds no broker, in MiB."""
    stage.progress.note(f"memory of a relay without Kafka, {OUTAGE_SECONDS} s")
    nowhere = f"{LOOPBACK}:{free_port()}"
    with stage.relays(backlog, topic, bootstrap=nowhere) as (relay,):
        process = psutil.Process(relay.pid)
        most = 0
        ends_at = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < ends_at:
            most = max(most, process.memory_info().rss)
            time.sleep(_SAMPLE_SECONDS)
    return most / (1 << 20)
