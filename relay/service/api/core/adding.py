"""Events that come over REST: stored and streamed like any other, in one transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4, uuid5

import psycopg

from relay.errors import PayloadError
from relay.formats.event_record import EventRecord
from relay.service.api.access.caller import EVERYBODY, Caller
from relay.service.api.core import statements
from relay.service.api.core.listing import one
from relay.service.api.core.new_event import Bounds, NewEvent
from relay.service.api.core.refusal import Refusal, retry_after
from relay.service.api.database import Connection, Database
from relay.service.events.rendering import UntypedEvent, render
from relay.service.outbox import Outbox
from relay.service.redaction.redactor import Redactor

KEYS: Final = UUID("6f757462-6f78-4a70-8000-6964656d706f")
"""The namespace of the event ids that are made from idempotency keys."""

ORIGIN: Final = {"origin": "rest"}
"""Header on the stream of what came by REST. No client can set or remove it."""

_AS_COMPARED: Final = """json_build_object(
    'event_id', event_id, 'name', name, 'category', category, 'severity', severity,
    'message', message, 'event_time', event_time, 'cluster_id', cluster_id, 'host_id', host_id,
    'infra_env_id', infra_env_id, 'request_id', request_id, 'props', props)::text"""

_DELAY: Final = b"SELECT outbox_event_delay(%s, %s, %s)"

_NOT_STORABLE: Final = (
    "The event cannot be stored: its props are nested too deeply or have a name that the stream "
    "needs, or it lacks what it belongs to: a cluster_id, an infra_env_id or a host_id"
)


@dataclass(frozen=True, slots=True)
class Adding:
    """Adds events. *pauses* are the rate limits by name."""

    database: Database
    outbox: Outbox
    redactor: Redactor
    bounds: Bounds
    pauses: Mapping[str, timedelta]

    def add(
        self,
        new: NewEvent,
        caller: Caller,
        event: LiteralString,
        key: str | None = None,
        *,
        or_streamed: bool = False,
    ) -> str | None:
        """Store and stream *new*; return it as it was stored. *event* is the SQL of that text.

        With a *key* that is done once. *or_streamed*: an event that a rate limit keeps from being
        stored is streamed, and None is returned.

        Raises:
            Refusal: 400, it is out of bounds; 403, the caller may not add; 404, it does not belong
                to them; 409, another event has this key; 422, it cannot be stored; 429, its name
                has a rate limit.
        """
        if not caller.may_add:
            raise Refusal(HTTPStatus.FORBIDDEN, "The token may read events, and add none")
        self.bounds.check(new)
        # The id says it all: its unique index is what makes a key work across processes.
        event_id = uuid5(KEYS, f"{caller.identity}\n{key}") if key else uuid4()
        try:
            with self.database.writing() as connection:
                _require_ownership(connection, new, caller)
                self._emit(connection, new, new.untyped(event_id))
                stored = one(connection, event, event_id, EVERYBODY)
                if stored is None and not or_streamed:
                    # Out of the transaction: what is not stored is not streamed either.
                    raise self._too_soon(connection, new)
        except PayloadError:
            # Its words may quote the name of a field, which is the client's.
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, _NOT_STORABLE) from None
        return stored

    def _emit(self, connection: Connection, new: NewEvent, event: UntypedEvent) -> None:
        try:
            with connection.transaction():
                self.outbox.emit(connection, event, headers=ORIGIN)
        except psycopg.errors.UniqueViolation:
            row = render(event, self.redactor).record
            stored = one(connection, _AS_COMPARED, event.event_id, EVERYBODY)
            if stored is None or not _says_the_same(json.loads(stored), row, new):
                raise Refusal(
                    HTTPStatus.CONFLICT,
                    "Another event was added with this Idempotency-Key: choose a new one",
                ) from None

    def _too_soon(self, connection: Connection, new: NewEvent) -> Refusal:
        resource = new.host_id or new.cluster_id or new.infra_env_id
        pause = self.pauses.get(new.name, timedelta())
        row = connection.execute(_DELAY, (new.name, resource, pause)).fetchone()
        delay = row[0] if row and row[0] else timedelta()
        return Refusal(
            HTTPStatus.TOO_MANY_REQUESTS,
            "An event of this name came too soon after the last one of the same resource",
            headers=retry_after(delay.total_seconds()),
        )


def _require_ownership(connection: Connection, new: NewEvent, caller: Caller) -> None:
    """Refuse what does not belong to *caller*, as if it did not exist.

    Tables of ours do not say which cluster a host is in. One that a caller does not own by itself
    comes along with a cluster or infra-env of theirs, unless only others have events of it.
    """
    if caller.owned is None:
        return
    if not (new.cluster_id or new.infra_env_id or new.host_id):
        raise Refusal(HTTPStatus.NOT_FOUND, "Name the cluster, infra-env or host of the event")
    owns = caller.owns([new.cluster_id], [new.infra_env_id])
    if owns and new.host_id and not caller.owns(hosts=[new.host_id]):
        owns = bool(new.cluster_id or new.infra_env_id) and not _is_others(
            connection, new.host_id, caller
        )
    if not owns:
        raise Refusal(HTTPStatus.NOT_FOUND, "There is no such cluster, infra-env or host")


def _is_others(connection: Connection, host: UUID, caller: Caller) -> bool:
    text, parameters = statements.others_host(host, caller)
    return connection.execute(text.encode(), parameters).fetchone() == (True,)


def _says_the_same(stored: Mapping[str, Any], row: EventRecord, new: NewEvent) -> bool:
    wanted = {**row._asdict(), "props": json.loads(row.props)}
    if new.event_time is None:
        del wanted["event_time"]
    else:
        wanted["event_time"] = datetime.fromisoformat(row.event_time)
        stored = {**stored, "event_time": datetime.fromisoformat(stored["event_time"])}
    # Over REST no event of a domain of the service's own is added.
    for name in ("subject_kind", "subject_id"):
        del wanted[name]
    return all(stored[name] == value for name, value in wanted.items())
