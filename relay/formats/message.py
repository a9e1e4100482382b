"""Messages in their plain form, and the headers that are ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

RESERVED_HEADERS: Final = frozenset({"id", "seq", "replay"})
"""Headers that the relay writes itself; `replay` marks a replayed row."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the stream, in its plain form.

    *payload* becomes a JSON object. *key*: messages of one key stay in order; None is "no order
    wanted". *topic*: None is the relay's default topic. *headers*: text to text.
    """

    name: str
    payload: Mapping[str, object]
    key: str | None = None
    topic: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    event_id: UUID = field(default_factory=uuid4)
