"""Events: what the service stored about a cluster, host, infra-env or its own subjects."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from relay.console import cells
from relay.console.access.refusals import invalid
from relay.console.content import Cell, Field, Moment, Page, Search, Timeline, Tone
from relay.console.links import to
from relay.console.visit import Visit
from relay.database.session import bounded, needing
from relay.service.api.access.caller import EVERYBODY
from relay.service.api.core import statements
from relay.service.api.core.cursor import Cursor
from relay.service.api.core.filter import EventFilter, Order
from relay.service.api.own.representation import EVENT
from relay.service.events.severity import Severity

PAGE_ROWS: Final = 50
SEVERITIES: Final[Mapping[str, Tone]] = {
    "info": "muted", "warning": "warning", "error": "bad", "critical": "bad",
}  # fmt: skip
_OF: Final = (
    ("", "everything"), ("cluster", "cluster"), ("host", "host"), ("infra-env", "infra-env"),
    ("own", "own subject"),
)  # fmt: skip
_SEVERITY_CHOICES: Final = (
    ("", "every severity"), ("warning,error,critical", "warning and worse"),
    ("error,critical", "error and worse"), *((each.value, each.value) for each in Severity),
)  # fmt: skip
_FILTERS: Final = ("of", "id", "kind", "severity", "category", "name", "request", "message",
                   "since", "until")  # fmt: skip


def events(visit: Visit) -> Page:
    """Return the newest events that match the filter of the address."""
    given = {name: visit.given(name) or "" for name in _FILTERS}
    wanted = _filter(given, visit.given("after"))
    found = list(_read(visit, wanted))
    full = len(found) == PAGE_ROWS
    more = to("events", **given, after=found[-1].place) if full else ""
    about = f"about {given['of'] or 'id'} {given['id']}" if given["id"] else "of all"
    return Page(
        here="events",
        title="Events",
        lead=f"The newest stored events {about}.",
        above=(Search(tuple(_fields(given)), "Filter"),),
        blocks=(
            Timeline(
                "Timeline",
                [_moment(each.event, with_fields=visit.person.sees_payloads) for each in found],
                "No stored event matches.",
                more,
            ),
        ),
    )


@dataclass(frozen=True)
class _Found:
    event: Mapping[str, Any]
    place: Cursor


def _read(visit: Visit, wanted: EventFilter) -> Iterator[_Found]:
    text, parameters = statements.page(EVENT, wanted, EVERYBODY)
    with (
        visit.database.connection() as connection,
        needing("outbox_payload_reader"),
        bounded(connection),
    ):
        rows = connection.execute(text.encode(), parameters).fetchall()
    for event, microseconds, number, _ in rows:
        yield _Found(json.loads(event), Cursor(microseconds, number))


def _filter(given: Mapping[str, str], after: str | None) -> EventFilter:
    of, named = given["of"], given["id"]
    ids: dict[str, Any] = {}
    if of == "own":
        ids = {"subject_kind": given["kind"], "subject_id": named}
    elif named:
        identity = _uuid(named)
        match of:
            case "cluster":
                ids = {"cluster_id": identity}
            case "host":
                ids = {"host_ids": (identity,)}
            case "infra-env":
                ids = {"infra_env_id": identity}
            case _:
                ids = {"subject": identity}
    try:
        return EventFilter(
            **ids,
            severities=tuple(map(Severity, _several(given["severity"]))),
            categories=_several(given["category"]),
            names=_several(given["name"]),
            request_id=given["request"],
            message=given["message"],
            since=_moment_of(given["since"]),
            until=_moment_of(given["until"]),
            order=Order.DESCENDING,
            limit=PAGE_ROWS,
            after=Cursor.of(after) if after else None,
        )
    except ValueError:
        raise invalid(
            "The filter cannot be read: choose severity and times from the form."
        ) from None


def _several(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise invalid(
            f"{text[:100]!r} is no id of a cluster, host or infra-env: those are UUIDs."
        ) from None


def _moment_of(text: str) -> datetime | None:
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _fields(given: Mapping[str, str]) -> Iterator[Field]:
    yield Field("of", "About", given["of"], _OF)
    yield Field("id", "Id", given["id"], hint="UUID, or the id of an own subject")
    yield Field("kind", "Kind of own subject", given["kind"], hint="order")
    yield Field("severity", "Severity", given["severity"], _SEVERITY_CHOICES)
    yield Field("category", "Category", given["category"], hint="user, metrics")
    yield Field("name", "Name", given["name"], hint="one, two")
    yield Field("request", "Request id", given["request"])
    yield Field("message", "Part of the message", given["message"])
    yield Field("since", "Since (UTC)", given["since"], kind="datetime-local")
    yield Field("until", "Until (UTC)", given["until"], kind="datetime-local")


def _moment(event: Mapping[str, Any], *, with_fields: bool) -> Moment:
    props = event["props"]
    return Moment(
        at=datetime.fromisoformat(event["event_time"]),
        tone=SEVERITIES.get(event["severity"], "muted"),
        label=event["severity"],
        name=event["name"],
        text=event["message"],
        about=tuple(_about(event)),
        details=json.dumps(props, indent=2) if with_fields and props else "",
    )


def _about(event: Mapping[str, Any]) -> Iterator[Cell]:
    for of in ("cluster", "host", "infra-env"):
        if identity := event[f"{of.replace('-', '_')}_id"]:
            yield cells.link(f"{of} {identity[:8]}", to("events", of=of, id=identity))
    if event["subject_kind"]:
        path = to("events", of="own", kind=event["subject_kind"], id=event["subject_id"])
        yield cells.link(f"{event['subject_kind']} {event['subject_id'][:60]}", path)
    yield cells.link("find", to("find", q=event["event_id"]))
