"""Advice on keys: what one transaction says of one object keeps its order under one key alone."""

import logging
import re
from typing import Final, NamedTuple, TypeAlias

from relay.formats.event_record import EventRecord
from relay.service.records import Emitted, OutboxRecord

_BEFORE_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OBJECTS: Final = 1_000
"""Objects of one transaction that are remembered."""

advised: Final[set[tuple[str, str]]] = set()
"""Pairs of names that were warned of, in this process."""

log = logging.getLogger(__name__)

_About: TypeAlias = tuple[str, str | None]


class _Said(NamedTuple):
    name: str
    key: str | None


class KeyAdvice:
    """Names and keys of what one transaction says of each object.

    Warns, once for each pair of names, where an event and the state of its object differ.
    """

    def __init__(self) -> None:
        self._states: dict[_About, _Said] = {}
        self._events: dict[_About, _Said] = {}

    def state(self, entity: type, identity: object, record: OutboxRecord) -> None:
        """Note the snapshot *record* of the object of *entity* with this primary key."""
        about = _BEFORE_CAPITAL.sub("_", entity.__name__).lower(), str(identity)
        state = _Said(record.name, record.key)
        _remember(self._states, about, state)
        if about in self._events:
            _compare(state, self._events[about])

    def event(self, emitted: Emitted) -> None:
        """Note an event; a message of another kind is about nothing that is known."""
        if emitted.event is None or emitted.outbox is None:
            return
        about = _about(emitted.event)
        event = _Said(emitted.event.name, emitted.outbox.key)
        _remember(self._events, about, event)
        if about in self._states:
            _compare(self._states[about], event)


def _remember(said: dict[_About, _Said], about: _About, what: _Said) -> None:
    if len(said) >= _OBJECTS:
        said.clear()
    said[about] = what


def _compare(state: _Said, event: _Said) -> None:
    pair = (state.name, event.name)
    if state.key != event.key and pair not in advised:
        advised.add(pair)
        log.warning(
            "Snapshots %s and events %s of one object have different keys, so consumers may "
            "read them in another order than they were written: give both the same one, with "
            "track(…, key=…) or emit(…, key=…). See docs/snapshots.md.",
            *pair,
        )


def _about(event: EventRecord) -> _About:
    """Return the kind and the id of what *event* is about most closely."""
    if event.host_id:
        return "host", event.host_id
    if event.subject_kind:
        return event.subject_kind, event.subject_id
    return ("cluster", event.cluster_id) if event.cluster_id else ("infra_env", event.infra_env_id)
