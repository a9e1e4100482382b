"""The two halves of a relay's work, each by itself and as bare as possible."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.stage import Stage
from relay.daemon.kafka.properties import producer_properties
from relay.settings import KafkaSettings, RelaySettings

OnDelivery = Callable[[KafkaError | None, Message], None]

BATCH_ROWS: Final = 2_000

_SELECT: Final = """
SELECT id, event_id::text, key, name, payload::text, metadata::text, headers::text
  FROM outbox
 ORDER BY id
 LIMIT %(rows)s
"""
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY(%(ids)s)"


def claim_and_delete(stage: Stage) -> float:
    """Select in id order and delete, in batches; return rows a second."""
    rows = stage.sizes.drain
    with stage.backlog() as backlog:
        backlog.fill(rows)
        connection = backlog.connection
        begun = time.perf_counter()
        while True:
            with connection.transaction():
                found = connection.execute(_SELECT, {"rows": BATCH_ROWS}).fetchall()
                connection.execute(_DELETE, {"ids": [row[0] for row in found]})
            if not found:
                return rows / (time.perf_counter() - begun)


def raw_produce(stage: Stage) -> float:
    """Send with librdkafka alone, a callback and headers each; return messages a second."""
    rows = stage.sizes.drain
    delivered = 0

    def count(error: KafkaError | None, _: Message) -> None:
        nonlocal delivered
        delivered += error is None

    with stage.topic() as topic:
        producer = Producer(_properties(stage))
        messages = [sample.encode() for sample in stage.samples]
        begun = time.perf_counter()
        for number in range(rows):
            _produce(producer, topic, messages, number, count)
            producer.poll(0)
        producer.flush()
        seconds = time.perf_counter() - begun
    assert delivered == rows, f"{rows - delivered} messages were not delivered"
    return rows / seconds


def _properties(stage: Stage) -> dict[str, Any]:
    kafka = KafkaSettings(bootstrap_server=stage.kafka.bootstrap, event_stream_topic="bench")
    return dict(producer_properties(kafka, RelaySettings().queue_bytes))


def _produce(
    producer: Producer, topic: str, messages: Sequence[bytes], number: int, on_delivery: OnDelivery
) -> None:
    headers: list[tuple[str, str | bytes | None]] = [
        ("id", "6f1d3a52-57a3-4b5e-9d0a-5a5f0b6f1a11"),
        ("seq", str(number)),
    ]
    while True:
        try:
            producer.produce(
                topic,
                value=messages[number % len(messages)],
                key=f"cluster-{number % 1000}",
                headers=headers,
                on_delivery=on_delivery,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            return
