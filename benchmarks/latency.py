"""From commit to consumer, at a steady rate and after a silence."""

import threading
import time
from statistics import quantiles
from typing import Final, Self

from confluent_kafka import Consumer, TopicPartition
from psycopg import Connection
from psycopg.rows import TupleRow

from benchmarks.backlog import Backlog
from benchmarks.figures import Figures
from benchmarks.stage import Stage

EVENTS_PER_SECOND: Final = 100
SILENCE_SECONDS: Final = 10.0
_WAIT_SECONDS: Final = 30.0


def measure(stage: Stage) -> Figures:
    """Return latencies in milliseconds."""
    with (
        stage.backlog() as backlog,
        stage.topic() as topic,
        stage.relays(backlog, topic),
        Arrivals(stage.kafka.bootstrap, topic) as arrivals,
    ):
        stage.progress.note(f"{EVENTS_PER_SECOND} events a second")
        steady = _steady(stage, backlog, arrivals)
        after_silence = [
            _after_silence(stage, backlog, arrivals, number)
            for number in range(1, stage.sizes.silences + 1)
        ]
        backlog.await_empty()
    return {
        "latency_p50_ms": percentile(steady, 50),
        "latency_p99_ms": percentile(steady, 99),
        "latency_after_idle_p99_ms": percentile(after_silence, 99),
    }


class Arrivals:
    """A consumer in a thread of its own that notes when each event arrived."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "enable.auto.commit": False,
        })  # fmt: skip
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._news = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._at: dict[str, float] = {}

    def of(self, keys: list[str]) -> list[float]:
        """Wait for the events of *keys*; return the times of their arrival (monotonic)."""
        with self._news:
            complete = self._news.wait_for(lambda: self._at.keys() >= set(keys), _WAIT_SECONDS)
            assert complete, f"{len(set(keys) - self._at.keys())} events did not arrive"
            return [self._at[key] for key in keys]

    def _run(self) -> None:
        while not self._ended.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            now = time.monotonic()
            with self._news:
                self._at[(message.key() or b"").decode()] = now
                self._news.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()


def _steady(stage: Stage, backlog: Backlog, arrivals: Arrivals) -> list[float]:
    """Write on a schedule that does not wait for answers; return seconds from commit to arrival."""
    committed: dict[str, float] = {}
    begun = time.monotonic()
    for number in range(stage.sizes.latency_seconds * EVENTS_PER_SECOND):
        time.sleep(max(0.0, begun + number / EVENTS_PER_SECOND - time.monotonic()))
        key = f"steady-{number}"
        committed[key] = commit(stage, backlog.connection, key)
    arrived = arrivals.of(list(committed))
    return [at - commit for at, commit in zip(arrived, committed.values(), strict=True)]


def _after_silence(stage: Stage, backlog: Backlog, arrivals: Arrivals, number: int) -> float:
    stage.progress.note(f"the first event after a silence, {number} of {stage.sizes.silences}")
    # The silence is what is measured, not a wait for something.
    time.sleep(SILENCE_SECONDS)
    key = f"silence-{number}"
    committed = commit(stage, backlog.connection, key)
    return arrivals.of([key])[0] - committed


def commit(stage: Stage, connection: Connection[TupleRow], key: str) -> float:
    """Write one event in a transaction of its own; return when it was committed."""
    payload = stage.samples[hash(key) % len(stage.samples)]
    connection.execute("SELECT outbox_emit('Host', %s::jsonb, %s)", (payload, key))
    return time.monotonic()


def percentile(seconds: list[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return 1000 * quantiles(seconds, n=100, method="inclusive")[percent - 1]
