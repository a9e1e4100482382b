"""An ordinary consumer that runs along and remembers what it read."""

import json
import threading
import uuid
from collections import deque
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from relay.demo.history import Read

_LATEST: Final = 4


class RunningConsumer:
    """Reads *topic* from its beginning in a thread of its own; *latest* tells the last messages."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "group.id": uuid.uuid4().hex,
            "enable.auto.commit": False,
            "log_level": 0,
        })  # fmt: skip
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)
        self.read: list[Read] = []
        self.latest: deque[str] = deque(maxlen=_LATEST)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            for message in self._consumer.consume(500, 0.1):
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                self._note(message)

    def _note(self, message: Message) -> None:
        headers = dict(message.headers() or [])
        key = message.key()
        self.read.append(
            Read(
                seq=int(_text(headers["seq"])),
                event_id=_text(headers["id"]),
                key=None if key is None else _text(key),
            )
        )
        self.latest.append(_summary(_text(message.value())))


def _text(data: str | bytes | None) -> str:
    return data.decode() if isinstance(data, bytes) else data or ""


def _summary(value: str) -> str:
    """Return the name of a message, and what it says."""
    envelope = json.loads(value)
    payload = envelope["payload"]
    said = payload.get("message") or f"{payload.get('name', '')}: {payload.get('status', '')}"
    return f"{envelope['name']:<21}{said}"
