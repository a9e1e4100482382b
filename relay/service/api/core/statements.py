"""The SQL of lists: a page, counts, and one event. Values are parameters, always."""
# ruff: noqa: S608 - made of constants

from collections.abc import Iterator, Mapping
from typing import Final, LiteralString, NamedTuple

from relay.service.api.access.caller import Caller, Owned
from relay.service.api.core.cursor import MICROSECONDS_OF_A_DAY
from relay.service.api.core.filter import EventFilter, Order

Parameters = dict[str, object]


class Statement(NamedTuple):
    """A query and its parameters."""

    text: str
    parameters: Parameters


_MICROSECONDS: Final = "(extract(epoch FROM event_time) * 1000000)::bigint"
# Without a zone, or a day would not always have as many hours. In whole days and the rest: an
# interval times a number of microseconds would be computed in floating point.
_AFTER: Final = (
    "(timestamp 'epoch' + make_interval(days => %(after_days)s)"
    " + %(after_rest)s * interval '1 microsecond') AT TIME ZONE 'UTC'"
)

_DIRECTIONS: Final[Mapping[Order, tuple[LiteralString, LiteralString]]] = {
    Order.ASCENDING: ("ASC", ">"),
    Order.DESCENDING: ("DESC", "<"),
}

_CLAUSES: Final[Mapping[str, LiteralString]] = {
    "cluster_id": "cluster_id = %(cluster_id)s",
    "infra_env_id": "infra_env_id = %(infra_env_id)s",
    "host_ids": "host_id = ANY(%(host_ids)s)",
    "subject": "(cluster_id = %(subject)s OR infra_env_id = %(subject)s OR host_id = %(subject)s)",
    "subject_kind": "subject_kind = %(subject_kind)s",
    "subject_id": "subject_id = %(subject_id)s",
    # As their indexes have them. Nobody asks for longer ones.
    "names": "left(name, 255) = ANY(%(names)s)",
    "categories": "category = ANY(%(categories)s)",
    "message": "message ILIKE %(message)s",
    "request_id": "left(request_id, 255) = %(request_id)s",
    "since": "event_time >= %(since)s",
    "until": "event_time < %(until)s",
    "severities": "severity = ANY(%(severities)s)",
}

# The index begins with the kind. Kinds are few, and found by a step in the index for each.
_OF_ANY_KIND: Final = """subject_kind = ANY(ARRAY(
    WITH RECURSIVE kinds (kind) AS (
        SELECT min(subject_kind) FROM outbox_event
        UNION ALL
        SELECT (SELECT min(subject_kind) FROM outbox_event WHERE subject_kind > kind)
          FROM kinds WHERE kind IS NOT NULL
    )
    SELECT kind FROM kinds WHERE kind IS NOT NULL))"""

_OWNED: Final[Mapping[str, LiteralString]] = {
    "clusters": "cluster_id = ANY(%(owned_clusters)s)",
    "infra_envs": "infra_env_id = ANY(%(owned_infra_envs)s)",
    "hosts": "host_id = ANY(%(owned_hosts)s)",
}


# As they are stored: what PostgreSQL compressed so far is some hundred kilobytes at most.
_SMALL: Final = "pg_column_size(message) + pg_column_size(props) < 2000"


def small(event: LiteralString) -> LiteralString:
    """Return the SQL of *event*, or of null where that would be a large text."""
    return f"CASE WHEN {_SMALL} THEN {event} END"


def page(event: LiteralString, wanted: EventFilter, caller: Caller) -> Statement:
    """Return the query of a page: each row is *event*, a text in SQL, its place and severity."""
    direction, beyond = _DIRECTIONS[wanted.order]
    clauses = [*_clauses(wanted), *_visible(caller)]
    parameters = _parameters(wanted, caller)
    if wanted.after is not None:
        days, rest = divmod(wanted.after.microseconds, MICROSECONDS_OF_A_DAY)
        parameters |= {"after_days": days, "after_rest": rest, "after_id": wanted.after.id}
        clauses.append(f"(event_time, id) {beyond} ({_AFTER}, %(after_id)s)")
    order = f"ORDER BY event_time {direction}, id {direction}"
    # Inside, or PostgreSQL would write the JSON text of every event that the offset leaves out.
    found = f"SELECT * FROM outbox_event{_where(clauses)} {order} LIMIT %(limit)s OFFSET %(offset)s"
    text = f"SELECT {event}, {_MICROSECONDS}, id, severity FROM ({found}) AS outbox_event {order}"
    return Statement(text, parameters)


def counts(wanted: EventFilter, caller: Caller) -> Statement:
    """Return the query that counts by severity, without regard to the wanted severities."""
    clauses = [*_clauses(wanted, but="severities"), *_visible(caller)]
    return Statement(
        f"SELECT severity, count(*) FROM outbox_event{_where(clauses)} GROUP BY severity",
        _parameters(wanted, caller),
    )


def one(event: LiteralString, event_id: object, caller: Caller) -> Statement:
    """Return the query of one event, if *caller* may see it."""
    clauses = ["event_id = %(event_id)s", *_visible(caller)]
    return Statement(
        f"SELECT {event} FROM outbox_event{_where(clauses)}",
        {"event_id": event_id, **_owned(caller)},
    )


def others_host(host: object, caller: Caller) -> Statement:
    """Return the query whether *host* has events, and the caller may see none of them."""
    known = "EXISTS (SELECT FROM outbox_event WHERE host_id = %(host)s{})"
    seen = "".join(f" AND {clause}" for clause in _visible(caller))
    return Statement(
        f"SELECT {known.format('')} AND NOT {known.format(seen)}",
        {"host": host, **_owned(caller)},
    )


def _where(clauses: list[str]) -> str:
    return f" WHERE {' AND '.join(clauses)}" if clauses else ""


def _clauses(wanted: EventFilter, but: str = "") -> Iterator[str]:
    if hosts := list(_hosts(wanted)):
        yield f"({' OR '.join(hosts)})"
    elif wanted.cluster_level is False:
        yield "host_id IS NOT NULL"
    for name, clause in _CLAUSES.items():
        if name not in {"host_ids", but} and getattr(wanted, name):
            yield clause
    if wanted.subject_id and not wanted.subject_kind:
        yield _OF_ANY_KIND


def _hosts(wanted: EventFilter) -> Iterator[str]:
    """Yield what the host of an event may be: any of these."""
    if wanted.host_ids:
        yield _CLAUSES["host_ids"]
    if wanted.cluster_level:
        yield "host_id IS NULL"
    if wanted.deleted_hosts:
        query = wanted.deleted_hosts.replace("%", "%%").rstrip("; \n")
        yield f"host_id IN (SELECT deleted.id::text::uuid FROM ({query}) AS deleted (id))"


def _visible(caller: Caller) -> Iterator[str]:
    if caller.owned is not None:
        owned = caller.owned._asdict()
        parts = [clause for name, clause in _OWNED.items() if owned[name]]
        yield f"({' OR '.join(parts) or 'false'})"


def _owned(caller: Caller) -> Parameters:
    owned = caller.owned or Owned()
    return {f"owned_{name}": list(ids) for name, ids in owned._asdict().items()}


def _parameters(wanted: EventFilter, caller: Caller) -> Parameters:
    given = {name: getattr(wanted, name) for name in _CLAUSES}
    return given | _owned(caller) | {
        "host_ids": list(wanted.host_ids),
        "names": list(wanted.names),
        "categories": list(wanted.categories),
        "severities": [severity.value for severity in wanted.severities],
        "message": _containing(wanted.message),
        "limit": wanted.limit,
        "offset": wanted.offset,
    }  # fmt: skip


def _containing(text: str) -> str:
    """Return the pattern for "contains *text*", in which nothing is a wildcard."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"
