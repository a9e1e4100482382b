"""Lists of events: one SELECT for the page, one for the counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg

from relay.service.api.access import Caller
from relay.service.api.filters import Cursor, EventFilter, Order
from relay.service.events.severity import Severity

Parameters = dict[str, object]

# As in to_json, but in UTC whatever the server's zone. PostgreSQL writes the whole object: a model
# for each of a thousand rows would take longer than the query.
_TIME: Final = """to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_MICROSECONDS: Final = "(extract(epoch FROM event_time) * 1000000)::bigint"
_AFTER: Final = "timestamptz 'epoch' + %(after_time)s * interval '1 microsecond'"
_EVENT: Final = f"""json_build_object(
        'event_id', event_id,
        'name', name,
        'category', category,
        'severity', severity,
        'message', message,
        'event_time', {_TIME},
        'cluster_id', cluster_id,
        'host_id', host_id,
        'infra_env_id', infra_env_id,
        'request_id', request_id,
        'props', props)::text"""

_DIRECTIONS: Final[dict[Order, tuple[LiteralString, LiteralString]]] = {
    Order.ASCENDING: ("ASC", ">"),
    Order.DESCENDING: ("DESC", "<"),
}

# How each filter narrows the list. OWN is what a bound token may see.
_CLAUSES: Final[dict[str, LiteralString]] = {
    "own": "(cluster_id = ANY(%(own_clusters)s) OR infra_env_id = ANY(%(own_infra_envs)s))",
    "cluster_id": "cluster_id = %(cluster_id)s",
    "infra_env_id": "infra_env_id = %(infra_env_id)s",
    "host_ids": "host_id = ANY(%(host_ids)s)",
    "hosts_and_cluster_level": "(host_id = ANY(%(host_ids)s) OR host_id IS NULL)",
    "cluster_level": "host_id IS NULL",
    "host_level": "host_id IS NOT NULL",
    "categories": "category = ANY(%(categories)s)",
    "message": "message ILIKE %(message)s",
    "severities": "severity = ANY(%(severities)s)",
}

HOSTS_SEEN: Final = f"""
SELECT count(*)
  FROM unnest(%(host_ids)s) AS h (id)
 WHERE EXISTS (SELECT FROM outbox_event WHERE host_id = h.id AND {_CLAUSES["own"]})
"""  # noqa: S608 - made of constants, as all statements here: values are parameters

STORED: Final = f"SELECT {_EVENT} FROM outbox_event WHERE event_id = %(event_id)s"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Page:
    """JSON texts of events, and where the next page begins, if there may be one."""

    events: list[str]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events there are of each severity, and how many match the whole filter."""

    severities: dict[Severity, int]
    events: int


def page(connection: psycopg.Connection[Any], wanted: EventFilter, caller: Caller) -> Page:
    """Return the page that *wanted* describes, of what *caller* may see."""
    statement, parameters = page_statement(wanted, caller)
    rows = connection.execute(statement.encode(), parameters).fetchall()
    following = None
    if len(rows) == wanted.limit:
        following = Cursor(*rows[-1][1:])
    return Page([row[0] for row in rows], following)


def counts(connection: psycopg.Connection[Any], wanted: EventFilter, caller: Caller) -> Counts:
    """Count what matches *wanted*: by severity, without regard to the wanted severities."""
    statement, parameters = count_statement(wanted, caller)
    found = dict(connection.execute(statement.encode(), parameters).fetchall())
    severities = {severity: found.get(severity.value, 0) for severity in Severity}
    chosen = wanted.severities or Severity
    return Counts(severities, sum(severities[severity] for severity in set(chosen)))


def sees_hosts(connection: psycopg.Connection[Any], wanted: EventFilter, caller: Caller) -> bool:
    """Tell whether *caller* may see an event of every host that is named."""
    if caller.is_admin or not wanted.host_ids:
        return True
    hosts = list(set(wanted.host_ids))
    parameters = {"host_ids": hosts, **_own(caller)}
    seen = connection.execute(HOSTS_SEEN.encode(), parameters).fetchone()
    return seen == (len(hosts),)


def page_statement(wanted: EventFilter, caller: Caller) -> tuple[str, Parameters]:
    """Return the SELECT of a page with its parameters."""
    direction, beyond = _DIRECTIONS[wanted.order]
    parameters = _parameters(wanted, caller)
    clauses = [_CLAUSES[name] for name in _names(wanted, caller)]
    if wanted.cursor is not None:
        parameters["after_time"], parameters["after_id"] = Cursor.of(wanted.cursor)
        clauses.append(f"(event_time, id) {beyond} ({_AFTER}, %(after_id)s)")
    statement = (
        f"SELECT {_EVENT}, {_MICROSECONDS}, id FROM outbox_event{_where(clauses)}"  # noqa: S608
        f" ORDER BY event_time {direction}, id {direction} LIMIT %(limit)s OFFSET %(offset)s"
    )
    return statement, parameters


def count_statement(wanted: EventFilter, caller: Caller) -> tuple[str, Parameters]:
    """Return the SELECT that counts by severity, with its parameters."""
    clauses = [_CLAUSES[name] for name in _names(wanted, caller) if name != "severities"]
    return (
        f"SELECT severity, count(*) FROM outbox_event{_where(clauses)} GROUP BY severity",  # noqa: S608
        _parameters(wanted, caller),
    )


def _where(clauses: list[str]) -> str:
    return f" WHERE {' AND '.join(clauses)}" if clauses else ""


def _names(wanted: EventFilter, caller: Caller) -> Iterator[str]:
    if not caller.is_admin:
        yield "own"
    match bool(wanted.host_ids), wanted.cluster_level:
        case True, True:
            yield "hosts_and_cluster_level"
        case True, _:
            yield "host_ids"
        case _, True:
            yield "cluster_level"
        case _, False:
            yield "host_level"
    for name in ("cluster_id", "infra_env_id", "categories", "message", "severities"):
        if getattr(wanted, name):
            yield name


def _parameters(wanted: EventFilter, caller: Caller) -> Parameters:
    parameters = wanted.model_dump(include={"cluster_id", "infra_env_id", "host_ids", "categories"})
    return parameters | _own(caller) | {
        "limit": wanted.limit,
        "offset": wanted.offset,
        "severities": [severity.value for severity in wanted.severities],
        "message": _containing(wanted.message or ""),
    }  # fmt: skip


def _own(caller: Caller) -> Parameters:
    return {"own_clusters": list(caller.clusters), "own_infra_envs": list(caller.infra_envs)}


def _containing(text: str) -> str:
    """Return the pattern for "contains *text*", in which nothing is a wildcard."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"
