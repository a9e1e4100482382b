"""Kafka refuses what is too large. Limits are lowered after the relay has learned them."""

import json
import random
from collections.abc import Callable

import pytest

from tests.faults.stream import Stream
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import set_topic_config
from tests.support.metrics import metric
from tests.support.outbox import Consume, Outbox, Start
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

LowerLimit = Callable[[int], tuple[ProcessUnderTest, str]]

# 300 rows of about a kilobyte that does not compress, all of one key.
INCOMPRESSIBLE = (
    "INSERT INTO outbox (key, name, payload) SELECT 'k', 'n', json_build_object('f', (SELECT "
    "string_agg(md5(random()::text || g || h), '') FROM generate_series(1, 30) AS h)) "
    "FROM generate_series(1, 300) AS g"
)


@pytest.fixture
def lower_limit(
    outbox: Outbox, relay: Start, kafka: SessionKafka, make_topic: Callable[..., str]
) -> LowerLimit:
    """Lower the limit of a running relay's topic, whose former one it goes by."""

    def lower(max_bytes: int) -> tuple[ProcessUnderTest, str]:
        topic = make_topic(partitions=1)
        process = relay(KAFKA_EVENT_STREAM_TOPIC=topic)
        outbox.emit("before")
        outbox.await_empty()
        set_topic_config(kafka.bootstrap, topic, "max.message.bytes", str(max_bytes))
        return process, topic

    return lower


def test_message_over_the_topics_limit_though_under_the_clients(
    outbox: Outbox, lower_limit: LowerLimit, consume: Consume
) -> None:
    process, topic = lower_limit(50_000)
    names = ["first", "large", "last"]
    with outbox.connection.transaction():
        for name in names:
            size = 100_000 if name == "large" else 10
            # Compression may not make it small enough.
            outbox.emit(name, json.dumps({"filler": random.randbytes(size).hex()}))
            outbox.emit("other", key="other")
    outbox.await_empty()
    parked = outbox.connection.execute("SELECT name, attempts, last_error FROM outbox").fetchall()
    assert [row[:2] for row in parked] == [("large", 1)]
    assert "raise the topic's max.message.bytes" in parked[0][2]
    assert process.wait_for_log("was parked")["level"] == "ERROR"
    assert metric(process, "parked_total", topic=topic, reason="too_large") == 1
    assert "filler" not in process.output
    found = Stream(consume(topic))
    assert (found.rows, found.duplicates, found.inversions) == (6, 0, 0)


def test_rows_that_fit_one_by_one_but_not_as_a_batch(
    outbox: Outbox, lower_limit: LowerLimit, consume: Consume
) -> None:
    process, topic = lower_limit(20_000)
    outbox.connection.execute(INCOMPRESSIBLE)
    outbox.await_empty("true")
    assert metric(process, "parked_total") == 0
    suspects = metric(process, "failed_total", topic=topic, reason="suspect")
    assert suspects > 0
    # From then on no batch is refused: the relay has learned the limit.
    outbox.connection.execute(INCOMPRESSIBLE)
    outbox.await_empty("true")
    assert metric(process, "failed_total") == suspects
    found = Stream(consume(topic))
    assert (found.rows, found.duplicates, found.inversions) == (601, 0, 0)
