"""Messages as the judge of histories takes them."""

import hashlib
from collections.abc import Iterable, Iterator

from relay.demo.history import Read
from tests.support.kafka.topics import ConsumedMessage


def reads(messages: Iterable[ConsumedMessage]) -> Iterator[Read]:
    """Yield what the judge wants to know of each message; its bytes are all that may not differ."""
    for message in messages:
        content = repr((message.partition, message.key, message.value, message.headers)).encode()
        yield Read(
            seq=int(message.header("seq") or b""),
            event_id=(message.header("id") or b"").decode(),
            key=None if message.key is None else message.key.decode(),
            content=hashlib.sha256(content).digest(),
            appended_ms=message.timestamp_ms,
        )
