"""What was committed against what a consumer reads, over all measurements of a run."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from relay.demo.history import Read, Written, judge

READ_SECONDS: Final = 1.0
GIVES_UP_AFTER: Final = 30


@dataclass
class Account:
    """Counts of what must be 0. Rows are known by their outbox id, the `seq` header."""

    lost: int = 0
    duplicates: int = 0
    inversions: int = 0

    def check(self, bootstrap: str, topic: str, committed: range) -> None:
        """Read *topic* from its beginning; it must hold the ids *committed*, each key in order."""
        written = (Written(seq, seq, None) for seq in committed)
        verdict = judge(written, _messages(bootstrap, topic, len(committed)))
        self.lost += verdict.lost
        self.duplicates += verdict.duplicates
        self.inversions += verdict.inversions


def _messages(bootstrap: str, topic: str, wanted: int) -> Iterator[Read]:
    """Yield all there is, and wait a while if that is less than *wanted*."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": uuid.uuid4().hex,
        "enable.auto.commit": False,
        "enable.partition.eof": False,
    })  # fmt: skip
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found = silent = 0
        while silent < (1 if found >= wanted else GIVES_UP_AFTER):
            batch = consumer.consume(5000, READ_SECONDS)
            silent = 0 if batch else silent + 1
            found += len(batch)
            yield from map(_read, batch)
    finally:
        consumer.close()


def _read(message: Message) -> Read:
    if (error := message.error()) is not None:
        raise KafkaException(error)
    seq = int(dict(message.headers() or [])["seq"] or b"")
    return Read(seq, seq, (message.key() or b"").decode())
