"""The way of one emit: render → redact → check → record, once through."""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import uuid4

from relay.formats import Format
from relay.formats.event_record import EventRecord
from relay.formats.message import Message
from relay.service.events.event import Event
from relay.service.events.rendering import UntypedEvent, render, untyped
from relay.service.message import Overrides, check, overridden, redacted
from relay.service.rate_limits import RateLimits
from relay.service.records import Emitted, OutboxRecord, outbox_record
from relay.service.redaction.redactor import Redactor

Item: TypeAlias = Event | UntypedEvent | Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Makes records of events, messages and snapshots. *metadata* is a JSON text, on each row.

    *schema*: where the tables are, if no search_path finds them.
    """

    format: Format
    metadata: str
    redactor: Redactor
    streaming: bool = True
    ordered: bool = False
    limits: RateLimits = field(default_factory=RateLimits)
    schema: str | None = None

    def emitted(self, item: Item, given: Overrides) -> Emitted:
        """Return the records of *item*; what is *given* replaces what it says itself.

        Raises:
            EventDefinitionError: the class of the event is abstract.
            PayloadError: it cannot be stored or published as it is.
            TypeError: it is neither an event nor a message.
        """
        if isinstance(item, Message):
            message = redacted(overridden(item, given), self.redactor)
            return self._emitted(message, given)
        if isinstance(item, Event):
            item = untyped(item, uuid4())
        if not isinstance(item, UntypedEvent):
            raise TypeError(_unknown(item))
        event, fields = render(item, self.redactor)
        message = overridden(self.format.event(event, fields), given)
        emitted = self._emitted(redacted(message, self.redactor, payload=False), given)
        owner = item.definition.scope.owner
        limit = self.limits.limit(event, owner, streaming=self.streaming)
        return emitted._replace(event=event, limit=limit)

    def snapshot(self, message: Message) -> OutboxRecord:
        """Return the record of a row's snapshot.

        Raises:
            PayloadError: it cannot be stored or published as it is.
        """
        return self._record(self.format.snapshot(redacted(message, self.redactor)))

    def replayed(self, event: EventRecord, fields: dict[str, object]) -> OutboxRecord:
        """Return the record of a stored event, made as it was made when it was emitted.

        Raises:
            PayloadError: consumers of this format could not read it.
        """
        message = redacted(self.format.event(event, fields), self.redactor)
        return self._record(message)._replace(replayed="true")

    def _emitted(self, message: Message, given: Overrides) -> Emitted:
        # While streaming is off the record is only made, so that it will work when it is on.
        record = self._record(message)
        lock = self.ordered if given.ordered is None else given.ordered
        written = record if self.streaming else None
        return Emitted(message.event_id, written, lock=lock, schema=self.schema)

    def _record(self, message: Message) -> OutboxRecord:
        message = self.format.checked(message)
        check(message)
        return outbox_record(message, self.metadata)


def _unknown(item: object) -> str:
    found = f"the class {item.__name__}" if isinstance(item, type) else type(item).__name__
    if isinstance(item, type) and issubclass(item, Event):
        advice = f"make one: {item.__name__}(…)"
    else:
        advice = 'without a class for it, write Message("Name", {…: …})'
    return f"emit() takes an event or a Message, not {found}; {advice}"
