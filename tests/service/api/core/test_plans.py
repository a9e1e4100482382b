"""Each filter has an index, and a page of a million events is read through it."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from relay.service.api.access.caller import EVERYBODY, Caller, Owned
from relay.service.api.core import statements
from relay.service.api.core.cursor import Cursor
from relay.service.api.core.filter import EventFilter, Order
from relay.service.api.own.representation import EVENT
from relay.service.events.severity import Severity
from tests.support.postgres import Database, apply_schema, temporary_database

CLUSTERS = 1_000
CLUSTER, INFRA_ENV, HOST = (uuid.UUID(int=number) for number in (7, 100_007, 200_007))

# A thousand clusters, infra-envs and hosts; one event in a thousand is critical, or was measured.
FILL = f"""
INSERT INTO outbox_event (name, category, severity, message, event_time, cluster_id, host_id,
                    infra_env_id, request_id)
SELECT 'kind_' || mod(n, 1000),
       CASE WHEN mod(n, 1000) = 3 THEN 'metrics' ELSE 'user' END,
       CASE WHEN mod(n, 1000) = 5 THEN 'critical' ELSE 'info' END,
       'Host host-' || n || ': updated status',
       '2026-01-01'::timestamptz + n * interval '1 second',
       lpad(to_hex(mod(n, {CLUSTERS})), 32, '0')::uuid,
       lpad(to_hex(200000 + mod(n, {CLUSTERS})), 32, '0')::uuid,
       lpad(to_hex(100000 + mod(n, {CLUSTERS})), 32, '0')::uuid,
       CASE WHEN mod(n, 10) = 7 THEN 'request-' || n / 100 END
  FROM generate_series(1, %(rows)s) AS n
"""

BOUND = Caller("", Owned(frozenset({CLUSTER})))
CURSOR = Cursor.of("1767268800000000.40000")

QUERIES: dict[str, tuple[dict[str, Any], Caller, str]] = {
    "everything": ({}, EVERYBODY, "outbox_event_by_time"),
    "the newest": ({"order": Order.DESCENDING}, EVERYBODY, "outbox_event_by_time"),
    "a later page": ({"after": CURSOR}, EVERYBODY, "outbox_event_by_time"),
    "cluster": ({"cluster_id": CLUSTER}, EVERYBODY, "outbox_event_by_cluster"),
    "a later page of a cluster": (
        {"cluster_id": CLUSTER, "after": CURSOR}, EVERYBODY, "outbox_event_by_cluster",
    ),
    "infra_env": ({"infra_env_id": INFRA_ENV}, EVERYBODY, "outbox_event_by_infra_env"),
    "hosts": ({"host_ids": (HOST,)}, EVERYBODY, "outbox_event_by_host"),
    "severity": ({"severities": (Severity.CRITICAL,)}, EVERYBODY, "outbox_event_by_severity"),
    "category": ({"categories": ("metrics",)}, EVERYBODY, "outbox_event_by_category"),
    "message": ({"message": "host-31234"}, EVERYBODY, "outbox_event_by_message"),
    "name": ({"names": ("kind_7",)}, EVERYBODY, "outbox_event_by_name"),
    "request": ({"request_id": "request-7"}, EVERYBODY, "outbox_event_by_request"),
    "subject": ({"subject": CLUSTER}, EVERYBODY, "outbox_event_by_cluster"),
    "own domain": (
        {"subject_kind": "order", "subject_id": "7"}, EVERYBODY, "outbox_event_by_subject",
    ),
    "own domain of any kind": ({"subject_id": "7"}, EVERYBODY, "outbox_event_by_subject"),
    "own": ({}, BOUND, "outbox_event_by_cluster"),
}  # fmt: skip


def filled(server: Database, rows: int) -> Iterator[Database]:
    with temporary_database(server) as database:
        apply_schema(database)
        with database.connect(autocommit=True) as connection:
            connection.execute(FILL.encode(), {"rows": rows})
            connection.execute("VACUUM ANALYZE outbox_event")
        yield database


@pytest.fixture(scope="module")
def many_events(postgres: Database) -> Iterator[Database]:
    yield from filled(postgres, 60_000)


@pytest.fixture(scope="module")
def a_million_events(postgres: Database) -> Iterator[Database]:
    yield from filled(postgres, 1_000_000)


def plan(connection: psycopg.Connection[Any], name: str) -> str:
    query, caller, _ = QUERIES[name]
    statement, parameters = statements.page(EVENT, EventFilter(limit=50, **query), caller)
    lines = connection.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
    return "\n".join(line for (line,) in lines)


def check(database: Database, name: str) -> None:
    with database.connect() as connection:
        found = plan(connection, name)
    assert QUERIES[name][2] in found
    assert "Seq Scan" not in found


@pytest.mark.parametrize("name", QUERIES)
def test_each_filter_has_its_index(many_events: Database, name: str) -> None:
    check(many_events, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUERIES)
def test_each_filter_has_its_index_among_a_million(a_million_events: Database, name: str) -> None:
    check(a_million_events, name)


def test_without_its_index_a_filter_has_another_plan(many_events: Database) -> None:
    with many_events.connect() as connection:
        connection.execute("DROP INDEX outbox_event_by_severity")
        assert "outbox_event_by_severity" not in plan(connection, "severity")
        connection.rollback()


def test_of_what_an_offset_leaves_out_no_text_is_made(many_events: Database) -> None:
    with many_events.connect() as connection:
        assert plan(connection, "cluster").startswith("Subquery Scan")
