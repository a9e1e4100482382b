"""What a consumer found on the topic, as figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from relay.demo.history import judge
from tests.support.history import reads
from tests.support.kafka.topics import ConsumedMessage


@dataclass(frozen=True)
class Stream:
    """The messages of one topic, from its beginning to its end."""

    messages: Sequence[ConsumedMessage]

    @property
    def rows(self) -> int:
        """How many different rows arrived."""
        return len({message.header("id") for message in self.messages})

    @property
    def duplicates(self) -> int:
        """How many messages are copies of an earlier one."""
        return len(self.messages) - self.rows

    @property
    def inversions(self) -> int:
        """How many rows first appeared after a later one of their key."""
        return judge((), reads(self.messages)).inversions
