"""Capture of what is written to the outbox, for the tests of a service."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple
from uuid import UUID

from relay.service.records import OutboxRecord


class Captured(NamedTuple):
    """A message that would be published, as its row holds it: redacted, with its key."""

    name: str
    payload: Mapping[str, object]
    key: str | None
    topic: str | None
    headers: Mapping[str, str]
    event_id: UUID
    replayed: bool


_open: Final[list[list[Captured]]] = []


@contextmanager
def captured() -> Iterator[list[Captured]]:
    """Yield a list that grows by each message that this process writes, in their order.

    Whatever its thread or outbox. On a session they are written by its commit.
    """
    messages: list[Captured] = []
    _open.append(messages)
    try:
        yield messages
    finally:
        # By identity: another list may be equal.
        _open[:] = [each for each in _open if each is not messages]


def capturing() -> bool:
    """Tell whether somebody captures."""
    return bool(_open)


def capture(records: Iterable[OutboxRecord]) -> None:
    """Hand *records*, which were just written, to all who capture."""
    if _open:
        written = [_captured(record) for record in records]
        for messages in _open:
            messages.extend(written)


def _captured(record: OutboxRecord) -> Captured:
    return Captured(
        record.name,
        json.loads(record.payload),
        record.key,
        record.topic,
        json.loads(record.headers or "{}"),
        UUID(record.event_id),
        record.replayed == "true",
    )
