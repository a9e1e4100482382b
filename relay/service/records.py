"""Records: what is inserted, in texts."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from relay.formats.event_record import EventRecord
from relay.formats.message import Message
from relay.jsontext import to_json
from relay.service.rate_limits import Limit


class OutboxRecord(NamedTuple):
    """A row of `outbox`."""

    event_id: str
    topic: str | None
    key: str | None
    name: str
    payload: str
    metadata: str
    headers: str | None
    replayed: str = "false"


class Emitted(NamedTuple):
    """Records of one emit. *lock*: lock the key until the end of the transaction.

    *schema*: where the tables are, if no search_path finds them.
    """

    event_id: UUID
    outbox: OutboxRecord | None
    event: EventRecord | None = None
    limit: Limit | None = None
    lock: bool = False
    schema: str | None = None


class Batch(NamedTuple):
    """Records of one write. The *keys* are locked and the *limits* are decided before it."""

    outbox: Sequence[OutboxRecord]
    events: Sequence[EventRecord] = ()
    limits: Sequence[Limit] = ()
    keys: Sequence[str] = ()
    schema: str | None = None


def outbox_record(message: Message, metadata: str) -> OutboxRecord:
    """Return the record of a checked *message*; *metadata* is a JSON text.

    Raises:
        PayloadError: the payload holds something that is not JSON; the message names the place.
    """
    return OutboxRecord(
        event_id=str(message.event_id),
        topic=message.topic,
        key=message.key,
        name=message.name,
        payload=to_json(message.payload, "payload"),
        metadata=metadata,
        headers=to_json(message.headers, "headers") if message.headers else None,
    )


def batch_of(
    emitted: Sequence[Emitted], states: Iterable[OutboxRecord] = (), schema: str | None = None
) -> Batch:
    """Return the batch of all that was *emitted*, after the *states*.

    *schema* is that of the states, where nothing was emitted.

    States come before events: a consumer knows the state when it reads what happened.
    """
    locked = {entry.outbox.key for entry in emitted if entry.lock and entry.outbox}
    return Batch(
        [*states, *(entry.outbox for entry in emitted if entry.outbox)],
        [entry.event for entry in emitted if entry.event],
        [entry.limit for entry in emitted if entry.limit],
        # In one order for everybody, against deadlocks.
        sorted(key for key in locked if key is not None),
        emitted[0].schema if emitted else schema,
    )
