"""Advice on keys: what one transaction says of one object keeps its order under one key alone."""

import logging
import re
from collections.abc import Iterable
from typing import Final

from relay.formats.event_record import EventRecord
from relay.service.records import Emitted, OutboxRecord
from relay.service.sqlalchemy.snapshots import Told

_BEFORE_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

advised: Final[set[tuple[str, str]]] = set()
"""Pairs of names that were warned of, in this process."""

log = logging.getLogger(__name__)


def advise(emitted: Iterable[Emitted], states: Iterable[Told]) -> None:
    """Warn, once for each pair of names, where an event and the state of its object differ."""
    keys: dict[tuple[str, str | None], OutboxRecord] = {
        (_kind(told.entity), str(told.identity[0])): told.record for told in states
    }
    for entry in emitted:
        if entry.event is None or entry.outbox is None or not keys:
            continue
        state = keys.get(_about(entry.event))
        if state is None or state.key == entry.outbox.key:
            continue
        pair = (state.name, entry.event.name)
        if pair not in advised:
            advised.add(pair)
            log.warning(
                "Snapshots %s and events %s of one object have different keys, so consumers may "
                "read them in another order than they were written: give both the same one, with "
                "track(…, key=…) or emit(…, key=…). See docs/snapshots.md.",
                *pair,
            )


def _kind(entity: type) -> str:
    return _BEFORE_CAPITAL.sub("_", entity.__name__).lower()


def _about(event: EventRecord) -> tuple[str, str | None]:
    """Return the kind and the id of what *event* is about most closely."""
    if event.host_id:
        return "host", event.host_id
    if event.subject_kind:
        return event.subject_kind, event.subject_id
    return ("cluster", event.cluster_id) if event.cluster_id else ("infra_env", event.infra_env_id)
