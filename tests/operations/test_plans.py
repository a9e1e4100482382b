"""How PostgreSQL answers what operations and the console ask, however much there is."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final, NamedTuple

import pytest
from psycopg import Connection, sql

from relay.operations import queries
from relay.operations.queries import (
    browsing,
    doctor,
    history,
    outlook,
    retention,
    saved_rows,
    secret_audit,
    selection,
    status,
)
from tests.support.postgres import Database, apply_schema, temporary_database

ID: Final = "00000000-0000-0000-0000-000000000001"
# Tables that grow without a bound of ours.
LARGE: Final = frozenset({"outbox", "outbox_event", "outbox_audit", "outbox_event_limit"})

FILL: Final = """
INSERT INTO outbox (topic, key, name, payload)
SELECT CASE WHEN mod(n, 4) = 0 THEN 'audit' END, 'key-' || mod(n, 2000), 'Filled', '{}'
  FROM generate_series(1, 20000) AS n;
UPDATE outbox SET parked_at = clock_timestamp(), last_error = 'too large' WHERE mod(id, 100) = 7;
INSERT INTO outbox_event (name, severity, message, event_time, cluster_id, host_id, infra_env_id)
SELECT 'kind', 'info', 'It happened', '2026-01-01'::timestamptz + n * interval '1 second',
       lpad(to_hex(mod(n, 1000)), 32, '0')::uuid, lpad(to_hex(mod(n, 3000)), 32, '0')::uuid,
       lpad(to_hex(mod(n, 500)), 32, '0')::uuid
  FROM generate_series(1, 20000) AS n;
INSERT INTO outbox_event_limit (name, resource, last_at, pause)
SELECT 'kind', gen_random_uuid(), clock_timestamp(), '1 minute' FROM generate_series(1, 5000);
INSERT INTO outbox_audit (action, reason, shard, outbox_id, event_id, key)
SELECT CASE WHEN mod(n, 50) = 0 THEN 'pause' ELSE 'requeue' END, 'why', mod(n, 64),
       CASE WHEN mod(n, 50) <> 0 THEN n END, gen_random_uuid(), 'key-' || mod(n, 2000)
  FROM generate_series(1, 20000) AS n;
SELECT outbox_pause('{3, 9}', 'why', 'ada');
"""


class Asked(NamedTuple):
    """Statement as it is asked, and the indexes that it goes by, of which each is used."""

    query: str | sql.Composed
    parameters: dict[str, Any]
    indexes: set[str]
    before: str = ""


def _select(**given: object) -> dict[str, Any]:
    names = ("ids", "event_id", "state", "key", "name", "reason", "topic", "default_topic",
             "older_than", "newer_than")  # fmt: skip
    return dict.fromkeys(names) | {"after": 0, "limit": 50} | given


def _past(**given: object) -> dict[str, Any]:
    names = ("action", "person", "shard", "outbox_id", "event_id", "key", "topic", "before")
    return dict.fromkeys(names) | {"limit": 50} | given


PENDING, PARKED = {"outbox_pending"}, {"outbox_parked"}
KEYS: Final = {"key": "key-7", "keys": ["key-7", ID], "event_id": ID, "limit": 50}
BATCH: Final = {"before": "2026-01-01", "time": "2026-01-01", "id": 0, "rows": 100}

STATEMENTS: Final[dict[str, Asked]] = {
    "browsing.OF_SHARD": Asked(
        browsing.OF_SHARD, {"shard": 5, "limit": 20}, PENDING, status.ALONG_THE_INDEX
    ),
    "outlook.UNSETTLED": Asked(outlook.UNSETTLED, {}, {"outbox_pkey"}),
    "browsing.WAITING": Asked(browsing.WAITING, KEYS, PENDING),
    "browsing.PARKED_OF_KEY": Asked(browsing.PARKED_OF_KEY, KEYS, PARKED),
    "browsing.PARKED_OF_EVENT": Asked(browsing.PARKED_OF_EVENT, KEYS, PARKED),
    "browsing.PARKED_GROUPS": Asked(browsing.PARKED_GROUPS, {"limit": 50_000}, PARKED),
    "browsing.EVENT": Asked(browsing.EVENT, {"event_id": ID}, {"outbox_event_event_id_key"}),
    "browsing.EVENTS_ABOUT": Asked(
        browsing.EVENTS_ABOUT, {"id": ID, "limit": 10},
        {"outbox_event_by_cluster", "outbox_event_by_host", "outbox_event_by_infra_env"},
    ),
    "outlook.OLDEST": Asked(
        outlook.OLDEST, {"held": ["billing"], "topic": "events"}, PENDING, status.ALONG_THE_INDEX
    ),
    "outlook.PARKED": Asked(outlook.PARKED, {"limit": 1_000_000}, PARKED),
    "outlook.PAUSED": Asked(outlook.PAUSED, {}, {"outbox_audit_by_shard"}),
    "status.OLDEST": Asked(status.OLDEST, {}, PENDING, status.ALONG_THE_INDEX),
    "status.KEYS": Asked(
        status.KEYS.replace("{order}", "pending"), {"limit": 1_000, "keys": 5}, {"outbox_pkey"},
        status.ALONG_THE_INDEX,
    ),
    "status.PARKED_COUNT": Asked(status.PARKED_COUNT, {"limit": 1_000_000}, PARKED),
    "status.PARKED_NEWEST": Asked(status.PARKED_NEWEST, {"rows": 10}, PARKED),
    "selection.SELECT": Asked(selection.SELECT, _select(state="parked", topic=""), PARKED),
    "selection.SELECT of a key": Asked(
        selection.SELECT, _select(key="key-7", state="pending"), PENDING
    ),
    "selection.SELECT of a parked key": Asked(
        selection.SELECT, _select(key="key-7", state="parked"), PARKED
    ),
    "selection.SELECT of ids": Asked(selection.SELECT, _select(ids=[7, 8]), {"outbox_pkey"}),
    "selection.PAYLOAD": Asked(selection.PAYLOAD, {"id": 7}, {"outbox_pkey"}),
    "saved_rows.SAVE": Asked(saved_rows.SAVE, {"ids": [7, 8]}, {"outbox_pkey"}),
    "history.HISTORY": Asked(history.HISTORY, _past(), {"outbox_audit_pkey"}),
    "history.HISTORY of a row": Asked(
        history.HISTORY, _past(outbox_id=7), {"outbox_audit_by_row"}
    ),
    "history.HISTORY of an event": Asked(
        history.HISTORY, _past(event_id=ID), {"outbox_audit_by_event"}
    ),
    "history.HISTORY of a key": Asked(
        history.HISTORY, _past(key="key-7"), {"outbox_audit_by_key"}
    ),
    "doctor.HIGHEST": Asked(doctor.HIGHEST, {}, {"outbox_pkey"}),
    "doctor.DRAWN": Asked(doctor.DRAWN, {}, {"outbox_pkey"}),
    "secret_audit.OUTBOX": Asked(
        secret_audit.OUTBOX, {"after": 0, "since": None, "rows": 100}, {"outbox_pkey"}
    ),
    "secret_audit.EVENTS": Asked(
        secret_audit.EVENTS, {"after": 0, "since": None, "rows": 100}, {"outbox_event_pkey"}
    ),
    "retention.COUNT": Asked(retention.COUNT, BATCH, {"outbox_event_by_time"}),
    "retention.COUNT_CLUSTER": Asked(
        retention.COUNT_CLUSTER, {"cluster": ID}, {"outbox_event_by_cluster"}
    ),
    "retention.LAST": Asked(retention.LAST, BATCH, {"outbox_event_by_time"}),
    "retention.DELETE": Asked(
        retention.DELETE, BATCH | {"last_time": "2026-01-01 00:01", "last_id": 60},
        {"outbox_event_by_time"},
    ),
    "retention.DELETE_LIMITS": Asked(
        retention.DELETE_LIMITS, BATCH | {"name": "", "resource": ID}, {"outbox_event_limit_pkey"}
    ),
}  # fmt: skip

_FUNCTION: Final = "calls a function of the schema"
_SMALL: Final = "reads tables that stay small, or catalogues"
_LIMITED: Final = "ends at its limit, wherever the rows are"
_SETTING: Final = "changes a setting of its transaction"
OTHERS: Final[dict[str, str]] = {
    "actions.REQUEUE": _FUNCTION, "actions.DISCARD": _FUNCTION, "actions.REDIRECT": _FUNCTION,
    "actions.PAUSE": _FUNCTION, "actions.RESUME": _FUNCTION, "actions.STATES": _SMALL,
    "actions.SHARD_OF": _FUNCTION,
    "browsing.ROW": "columns of others", "browsing.REASON": "an expression of others",
    "browsing.WITHOUT_JIT": _SETTING,
    "browsing.OF_EVENT_ANYWHERE": "looks everywhere, for a second at most",
    "doctor.MISSING_RIGHTS": _SMALL, "doctor.TABLE": _SMALL, "outlook.FORMER": _SMALL,
    "doctor.SEES_OTHERS": _SMALL, "doctor.VACUUM": _SMALL,
    "doctor.DISK": "writes a table of its own", "doctor.TABLESPACE": _SMALL,
    "doctor.TEMP_TABLESPACE": _SETTING, "doctor.CLOCK": _SMALL,
    "doctor.BOUND_BY_POLICIES": _SMALL, "doctor.SEQUENCE_IS_MISSING": _SMALL,
    "doctor.IDENTITY": "is text for people", "doctor.ONLY_RISE": "is text for people",
    "doctor.ADVANCE": "is text for people", "doctor.WAITING": _LIMITED,
    "outlook.STATE": _SMALL, "outlook.RELAYS": _SMALL, "outlook.BACKLOG": _LIMITED,
    "outlook.OF_PARTITION": _LIMITED, "outlook.SHARD_LOCKS": _SMALL,
    "outlook.TABLE_LOCKS": _SMALL, "outlook.BLOCKERS": _SMALL, "outlook.WRITERS": _SMALL,
    "outlook.SEQUENCE_CACHE": _SMALL, "outlook.ENCODING": _SMALL,
    "replay.TRIGGERS": _SMALL, "replay.LOCK_TIMEOUT": _SETTING,
    "retention.CUTOFF": _FUNCTION, "retention.PURGE_CLUSTER": _FUNCTION,
    "retention.COUNT_LIMITS": "counts all limits, for people",
    "samples.READ": _SMALL, "saved_rows.ONE_AT_A_TIME": _FUNCTION,
    "saved_rows.RESTORE": _FUNCTION,
    "sessions.SESSION": _SMALL, "sessions.NOTE": _FUNCTION, "sessions.END": _SMALL,
    "status.ALONG_THE_INDEX": _SETTING, "status.BACKLOG": _LIMITED, "status.SHARDS": _SMALL,
    "status.HOLDERS": _SMALL, "storage.TABLES": _SMALL,
    "triggers.LIMITS": _SMALL, "triggers.CREATE": "changes a table of the service",
    "triggers.CREATE_INSERTS": "changes a table of the service",
    "triggers.DROP": "changes a table of the service", "triggers.REFUSAL": "a part of others",
}  # fmt: skip


@pytest.fixture(scope="module")
def large(postgres: Database) -> Iterator[Connection[Any]]:
    with temporary_database(postgres) as database:
        apply_schema(database)
        with database.connect(autocommit=True) as connection:
            connection.execute(FILL.encode())
            connection.execute("VACUUM (ANALYZE)")
            # So that a table of some pages is taken for one of many.
            connection.execute("SET random_page_cost = 1.1")
            yield connection


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explained(connection: Connection[Any], asked: Asked) -> list[dict[str, Any]]:
    query = asked.query if isinstance(asked.query, str) else asked.query.as_string(connection)
    with connection.transaction():
        if asked.before:
            connection.execute(asked.before.encode())
        row = connection.execute(
            f"EXPLAIN (FORMAT JSON) {query}".encode(), asked.parameters
        ).fetchone()
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_goes_by_its_index(large: Connection[Any], name: str) -> None:
    asked = STATEMENTS[name]
    found = explained(large, asked)
    assert {node["Index Name"] for node in found if "Index Name" in node} >= asked.indexes
    whole = [
        node for node in found
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    ]  # fmt: skip
    assert whole == []


def test_parked_rows_of_a_key_are_found_by_its_hash(large: Connection[Any]) -> None:
    """By their shard alone, all that is parked in it would be read."""
    plan = explained(large, STATEMENTS["browsing.PARKED_OF_KEY"])
    (scan,) = [node for node in plan if node.get("Index Name") == "outbox_parked"]
    assert "hashtextextended(key" in scan["Index Cond"]


def test_every_statement_is_looked_at_or_named_with_a_reason() -> None:
    modules = {each.name: import_module(f"{queries.__name__}.{each.name}")
               for each in iter_modules(queries.__path__)}  # fmt: skip
    known = {
        f"{name}.{constant}"
        for name, module in modules.items()
        for constant, value in vars(module).items()
        if constant.isupper() and not constant.startswith("_") and isinstance(value, str)
    }
    asked = {name.split(" ")[0] for name in STATEMENTS}
    assert asked | OTHERS.keys() == known
    assert not asked & OTHERS.keys()
