"""From what a service emits to the rows that are written for it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from relay.formats import Format
from relay.formats.event_record import EventRecord
from relay.formats.message import Message
from relay.service.events.definition import Scope
from relay.service.events.event import Event
from relay.service.events.rendering import UntypedEvent, render_untyped, untyped
from relay.service.message import outbox_row
from relay.service.rate_limits import Limit, RateLimits
from relay.service.records import Chunk
from relay.service.redaction.redactor import Redactor
from relay.service.sqlalchemy.buffer import Emitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Makes rows of events and messages. *metadata* is a JSON text, stamped on each row."""

    streaming: bool
    metadata: str
    redactor: Redactor
    ordered: bool
    format: Format
    limits: RateLimits

    def compose(
        self,
        item: Event | UntypedEvent | Message,
        *,
        key: str | None,
        topic: str | None,
        headers: Mapping[str, str] | None,
        ordered: bool | None,
    ) -> tuple[Emitted, UUID]:
        """Return the rows of *item* and its event id; what is given replaces what it says itself.

        Raises:
            EventDefinitionError: the class of the event is abstract.
            PayloadError: it cannot be stored or published as it is.
        """
        event: EventRecord | None = None
        limit: Limit | None = None
        if isinstance(item, Event):
            item = untyped(item, uuid4())
        if isinstance(item, UntypedEvent):
            event, props = render_untyped(item, self.redactor)
            limit = self._limit(event, item.definition.scope)
            message = self.format.event(event, props)
        else:
            message = item
        message = self.format.checked(_replaced(message, key, topic, headers))
        # While streaming is off the row is only checked, so that it will work when it is on.
        row = outbox_row(message, self.metadata, self.redactor)
        lock = self.ordered if ordered is None else ordered
        return Emitted(row if self.streaming else None, event, lock, limit), message.event_id

    def _limit(self, row: EventRecord, scope: Scope) -> Limit | None:
        pause = self.limits.pauses.get(row.name)
        # What it is about most closely: a host, else what the class belongs to.
        resource: str | None = row.host_id or getattr(row, scope.owner)
        if pause is None or resource is None:
            return None
        streamed = self.streaming and self.limits.streamed
        return Limit(row.event_id, row.name, resource, row.event_time, pause, streamed)


def immediate(emitted: Emitted) -> tuple[Chunk, list[str]]:
    """Return what one call of emit writes at once, and the keys to lock before."""
    row, event, ordered, limit = emitted
    chunk = Chunk([row] if row else [], [event] if event else [], [limit] if limit else [])
    return chunk, [row.key] if ordered and row and row.key is not None else []


def _replaced(
    message: Message, key: str | None, topic: str | None, headers: Mapping[str, str] | None
) -> Message:
    if key is None and topic is None and headers is None:
        return message
    return dataclasses.replace(
        message,
        key=message.key if key is None else key,
        topic=message.topic if topic is None else topic,
        headers=message.headers if headers is None else headers,
    )
