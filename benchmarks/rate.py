"""How fast a topic fills, seen from the broker, which costs the relay nothing."""

import time
from typing import Final

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from tests.support.kafka.topics import admin_client

# A drain takes seconds, so this is exact enough; asking more often costs what is measured CPU.
_POLL_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 10.0
STALL_SECONDS: Final = 60.0


class TopicSize:
    """Counts the messages of a topic."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._admin = admin_client(bootstrap)
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        self._ends = {TopicPartition(topic, number): latest for number in range(partitions)}
        # The first answer takes longer, for the connection.
        self()

    def __call__(self) -> int:
        """Return the number of messages now."""
        asked = self._admin.list_offsets(self._ends, request_timeout=_ANSWER_SECONDS)
        return sum(answer.result().offset for answer in asked.values())

    def rate_until(self, wanted: int) -> float:
        """Wait until there are *wanted* messages; return messages a second from the first look on.

        Raises:
            TimeoutError: the topic does not grow any more.
        """
        first = now = self()
        begun = at = grown_at = time.perf_counter()
        while now < wanted:
            time.sleep(_POLL_SECONDS)
            last, now = now, self()
            at = time.perf_counter()
            if now > last:
                grown_at = at
            elif at - grown_at > STALL_SECONDS:
                raise TimeoutError(f"{now} of {wanted} messages, and no more are coming")
            if not first:
                first, begun = now, at
        return (now - first) / (at - begun)
