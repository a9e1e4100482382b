"""What a service calls by one of our names is refused, and left as it is."""

import re

import pytest

from relay.database import ownership, schema
from relay.database.migration import migrate
from relay.errors import SchemaError
from tests.support.catalog import described
from tests.support.postgres import Database

FOREIGN = {
    "a table": ("CREATE TABLE outbox_event (id int)", r"table public.outbox_event has a column id"),
    "a table without a column": (
        "CREATE TABLE outbox (id bigint, payload json)",
        r"table public.outbox has no column event_id",
    ),
    "a table of state": (
        "CREATE TABLE outbox_state (version text)",
        r"table public.outbox_state has no column singleton",
    ),
    "a view": (
        "CREATE VIEW outbox_overview AS SELECT 1 AS id",
        "view public.outbox_overview has a",
    ),
    "a view instead of a table": (
        "CREATE VIEW outbox AS SELECT 1 AS id",
        r"view public.outbox has the name of another kind",
    ),
    "a table instead of a view": (
        "CREATE TABLE outbox_overview (id bigint)",
        r"table public.outbox_overview has the name of another kind",
    ),
    "an index": (
        "CREATE TABLE mine (id int); CREATE INDEX outbox_event_by_time ON mine (id)",
        r"index public.outbox_event_by_time is no part of the table outbox_event",
    ),
    "a sequence": (
        "CREATE SEQUENCE outbox_id_seq",
        r"sequence public.outbox_id_seq is no part of the table outbox",
    ),
    "a function": (
        "CREATE FUNCTION outbox_emit(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        r"function public.outbox_emit\(text\) returns integer",
    ),
    "a procedure": (
        "CREATE PROCEDURE outbox_pause(text) LANGUAGE sql AS 'SELECT 1'",
        r"function public.outbox_pause\(text\) returns nothing",
    ),
    "a type": ("CREATE TYPE outbox_audit AS ENUM ('a')", r"type public.outbox_audit has the name"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_ours_is_refused_and_left_alone(empty_database: Database, kind: str) -> None:
    ddl, told = FOREIGN[kind]
    with empty_database.connect() as connection:
        connection.execute(ddl.encode())
    for again in (False, True):
        with pytest.raises(SchemaError, match=f"{told}.*--schema NAME"):
            migrate(empty_database.dsn, again=again)
    with empty_database.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relname ~ '^outbox' UNION ALL SELECT count(*) FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace AND proname ~ '^outbox'"
        ).fetchall()
        assert sum(count for (count,) in found) <= 1
        with pytest.raises(SchemaError, match=told):
            schema.verify(connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_ours_works_beside_it_in_a_schema_of_its_own(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute("CREATE TABLE outbox (id int); INSERT INTO outbox VALUES (7)")
    migrate(empty_database.dsn, into="relay")
    with empty_database.connect() as connection:
        assert schema.verify(connection).version == schema.SCHEMA_VERSION
        assert connection.execute("SELECT id FROM public.outbox").fetchall() == [(7,)]


def test_a_table_events_of_the_service_is_none_of_our_business(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute("CREATE TABLE events (id int PRIMARY KEY, cluster_id uuid)")
        before = connection.execute("SELECT relacl, relhasindex FROM pg_class"
                                    " WHERE oid = 'events'::regclass").fetchall()  # fmt: skip
    migrate(empty_database.dsn)
    with empty_database.connect() as connection:
        after = connection.execute("SELECT relacl, relhasindex FROM pg_class"
                                   " WHERE oid = 'events'::regclass").fetchall()  # fmt: skip
        assert after == before
        schema.verify(connection)


def test_every_object_of_the_schema_is_known_by_its_shape(database: Database) -> None:
    with database.connect() as connection:
        ownership.refuse_foreign(connection, "public")
    found = described(database)
    relations = {str(row[0]) for row in found["relations"]}
    assert relations == {*ownership.TABLES, *ownership.VIEWS, *ownership.PARTS}
    assert {str(row[0]) for row in found["functions"]} == set(ownership.FUNCTIONS)


def test_names_begin_with_outbox(database: Database) -> None:
    found = described(database)
    for aspect in ("relations", "functions"):
        assert all(re.match("outbox", str(row[0])) for row in found[aspect])
