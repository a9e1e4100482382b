"""Tables that any code writes are streamed by the triggers that `relay triggers` prints."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from relay.errors import ConfigurationError
from relay.formats import format_of
from relay.operations.triggers import TrackedTable
from relay.service.redaction.redactor import Redactor
from relay.settings.preset import Preset
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest
from tests.support.service import Stored

HOSTS = TrackedTable(
    "hosts", "Host", key=("cluster_id", "id"), columns=("cluster_id", "status", "updated_at")
)
CLUSTERS = TrackedTable("clusters", "ClusterState", key=("id",), columns=("name", "status"))
INSERT = (
    "INSERT INTO hosts (id, cluster_id, name, status, inventory) VALUES (%s, %s, 'h', %s, '{}')"
)


def apply(database: Database, sql: str) -> None:
    with database.connect(autocommit=True) as owner:
        owner.execute(sql.encode())


@pytest.fixture
def cluster(service_database: Database) -> uuid.UUID:
    """A cluster that was there before the triggers, whose rows will be copied to the stream."""
    identity = uuid.uuid4()
    with service_database.connect() as owner:
        owner.execute(
            "INSERT INTO clusters (id, name, status, pull_secret)"
            " VALUES (%s, 'c', 'new', 'hunter2')",
            (identity,),
        )
    for table in (HOSTS, CLUSTERS):
        apply(service_database, table.create())
    return identity


@pytest.fixture
def writer(
    service_database: Database,
    cluster: uuid.UUID,  # noqa: ARG001 - the tables and triggers are there
) -> Iterator[psycopg.Connection[Any]]:
    """A user who may write the service's tables, and has no right at all on the outbox."""
    role = f"foreign_{uuid.uuid4().hex[:8]}"
    with service_database.connect(autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role}".encode())
        owner.execute(f"GRANT ALL ON hosts, clusters TO {role}".encode())
        with service_database.connect() as connection:
            connection.execute(f"SET ROLE {role}".encode())
            connection.commit()
            yield connection
        owner.execute(f"DROP OWNED BY {role}".encode())
        owner.execute(f"DROP ROLE {role}".encode())


def test_insert_update_and_delete(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    host = uuid.uuid4()
    writer.execute(INSERT, (host, None, "known"))
    writer.commit()
    writer.execute("UPDATE hosts SET status = 'installing', cluster_id = %s", (cluster,))
    writer.commit()
    writer.execute("DELETE FROM hosts")
    writer.commit()
    first, second, third = stored.outbox()
    assert [row["key"] for row in (first, second, third)] == [str(host), *[str(cluster)] * 2]
    assert first["payload"].keys() == {"id", "cluster_id", "status", "updated_at"}
    assert first["payload"]["updated_at"].endswith("+00:00")
    assert (first["name"], first["topic"]) == ("Host", None)
    assert (second["payload"]["status"], second["payload"]["cluster_id"]) == (
        "installing",
        str(cluster),
    )
    assert third["payload"] == second["payload"] | {"deleted": True}


def test_a_transaction_yields_one_snapshot_of_the_final_row(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    writer.execute(INSERT, (uuid.uuid4(), cluster, "a"))
    for status in ("b", "c", "a", "a"):
        writer.execute("UPDATE hosts SET status = %s", (status,))
    writer.execute("SAVEPOINT before")
    writer.execute("UPDATE hosts SET status = 'phantom'")
    writer.execute("ROLLBACK TO before")
    writer.execute("UPDATE clusters SET status = 'ready'")
    writer.commit()
    assert [(row["name"], row["payload"]["status"]) for row in stored.outbox()] == [
        ("Host", "a"),
        ("ClusterState", "ready"),
    ]


def test_nothing_of_a_rolled_back_transaction_and_nothing_secret(
    writer: psycopg.Connection[Any], stored: Stored
) -> None:
    writer.execute("UPDATE clusters SET status = 'phantom'")
    writer.rollback()
    writer.execute("UPDATE clusters SET status = 'ready'")
    writer.commit()
    assert [row["payload"]["status"] for row in stored.outbox()] == ["ready"]
    assert "hunter2" not in stored.shown()


def test_deleted_and_made_again_is_there(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    host = uuid.uuid4()
    writer.execute(INSERT, (host, cluster, "before"))
    writer.commit()
    writer.execute("DELETE FROM hosts")
    writer.execute(INSERT, (host, cluster, "again"))
    writer.commit()
    *_, last = stored.payloads("Host")
    assert len(stored.outbox()) == 2
    assert (last["status"], last.get("deleted")) == ("again", None)


def test_a_new_primary_key_is_a_farewell_to_the_old_one(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    old, new = uuid.uuid4(), uuid.uuid4()
    writer.execute(INSERT, (old, cluster, "x"))
    writer.commit()
    writer.execute("UPDATE hosts SET id = %s", (new,))
    writer.commit()
    shown = {(row["id"], row.get("deleted", False)) for row in stored.payloads("Host")[1:]}
    assert shown == {(str(new), False), (str(old), True)}


def test_many_rows_of_one_statement(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    writer.cursor().executemany(INSERT, [(uuid.uuid4(), cluster, "x") for _ in range(50)])
    writer.commit()
    writer.execute("UPDATE hosts SET status = 'installed'")
    writer.commit()
    assert [row["status"] for row in stored.payloads("Host")] == ["x"] * 50 + ["installed"] * 50


def test_the_state_first_where_the_writer_asks_for_it(
    cluster: uuid.UUID, service_database: Database, stored: Stored
) -> None:
    with service_database.connect() as owner:
        owner.execute("UPDATE clusters SET status = 'ready'")
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        owner.execute("SELECT outbox_emit('Said', '{}', key => %s)", (str(cluster),))
    assert stored.names() == ["ClusterState", "Said"]


def test_while_streaming_is_off_nothing_is_written(
    writer: psycopg.Connection[Any], service_database: Database, stored: Stored
) -> None:
    apply(service_database, "UPDATE outbox_state SET streaming = false")
    writer.execute("UPDATE clusters SET status = 'ready'")
    writer.commit()
    assert stored.outbox() == []


def test_a_column_that_is_not_published_changes_nothing(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    writer.execute(INSERT, (uuid.uuid4(), cluster, "a"))
    writer.commit()
    for stage in ("x", "y"):
        writer.execute("UPDATE hosts SET stage = %s, inventory = '{}'", (stage,))
        writer.commit()
    # Also after one that is: then the row as it is now is shown.
    writer.execute("UPDATE hosts SET status = 'b'")
    writer.execute("UPDATE hosts SET stage = 'z'")
    writer.commit()
    assert [payload["status"] for payload in stored.payloads("Host")] == ["a", "b"]


def test_what_was_shown_early_and_changed_back_is_shown_again(
    writer: psycopg.Connection[Any], cluster: uuid.UUID, stored: Stored
) -> None:
    writer.execute(INSERT, (uuid.uuid4(), cluster, "a"))
    for status in ("b", "c", "b"):
        writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        writer.execute("SET CONSTRAINTS ALL DEFERRED")
        writer.execute("UPDATE hosts SET status = %s", (status,))
        writer.execute("UPDATE hosts SET stage = 'x'")
    writer.commit()
    assert [payload["status"] for payload in stored.payloads("Host")] == ["a", "b", "c", "b"]


def test_a_renamed_column_keeps_its_name_on_the_stream(
    writer: psycopg.Connection[Any],
    service_database: Database,
    cluster: uuid.UUID,
    stored: Stored,
) -> None:
    # In another session: a plan that the writer had already would outlive the names.
    with service_database.connect() as owner:
        owner.execute(INSERT, (uuid.uuid4(), cluster, "a"))
    for column, renamed in (("status", "state"), ("id", "host_id"), ("cluster_id", "owner")):
        apply(service_database, f"ALTER TABLE hosts RENAME COLUMN {column} TO {renamed}")
    writer.execute("UPDATE hosts SET state = 'b'")
    writer.commit()
    writer.execute("UPDATE hosts SET host_id = gen_random_uuid()")
    writer.commit()
    writer.execute("DELETE FROM hosts")
    writer.commit()
    shown = [(payload["status"], "deleted" in payload) for payload in stored.payloads("Host")]
    assert shown == [("a", False), ("b", False), ("b", False), ("b", True), ("b", True)]
    assert {row["key"] for row in stored.outbox()} == {str(cluster)}


def test_a_published_column_is_not_dropped(
    writer: psycopg.Connection[Any], service_database: Database, stored: Stored
) -> None:
    with pytest.raises(psycopg.errors.DependentObjectsStillExist, match="outbox_state_clusters"):
        apply(service_database, "ALTER TABLE clusters DROP COLUMN status")
    writer.execute("UPDATE clusters SET status = 'ready'")
    writer.commit()
    assert stored.names() == ["ClusterState"]
    without = TrackedTable("clusters", "ClusterState", key=("id",), columns=("name",))
    apply(service_database, without.create())
    apply(service_database, "ALTER TABLE clusters DROP COLUMN status")


def test_it_may_be_applied_again_with_other_columns_and_taken_away(
    writer: psycopg.Connection[Any], service_database: Database, stored: Stored
) -> None:
    fewer = TrackedTable("clusters", "ClusterState", key=("id",), columns=("status",))
    for _ in range(2):
        apply(service_database, fewer.create())
    writer.execute("UPDATE clusters SET status = 'ready'")
    writer.commit()
    for _ in range(2):
        apply(service_database, fewer.drop())
    writer.execute("UPDATE clusters SET status = 'unseen'")
    writer.commit()
    assert [set(payload) for payload in stored.payloads("ClusterState")] == [{"id", "status"}]


def test_names_that_need_quotes_and_keys_of_two_columns(database: Database, stored: Stored) -> None:
    apply(
        database,
        'CREATE SCHEMA "My Schema"; CREATE TABLE "My Schema"."the ""table"""'
        ' ("Order" int, part int, "select" text, PRIMARY KEY ("Order", part))',
    )
    odd = TrackedTable(
        'My Schema.the "table"',
        "It's\\odd",
        key=("Order",),
        columns=("select",),
        identity=("Order", "part"),
        topic="odd-ones",
    )
    odd.check(Redactor())
    apply(database, odd.create())
    apply(database, 'INSERT INTO "My Schema"."the ""table""" VALUES (1, 2, \'x\')')
    (row,) = stored.outbox()
    assert (row["name"], row["key"], row["topic"]) == ("It's\\odd", "1", "odd-ones")
    assert row["payload"] == {"Order": 1, "part": 2, "select": "x"}
    apply(database, odd.drop())


def test_a_column_that_does_not_exist_is_refused_when_it_is_applied(
    service_database: Database,
) -> None:
    wrong = TrackedTable("clusters", "ClusterState", key=("id",), columns=("statsu",))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        apply(service_database, wrong.create())


def test_what_could_not_work_is_named_at_once() -> None:
    wrong = TrackedTable("a.b.c", "", key=(), columns=("pull_secret", "api_key"))
    with pytest.raises(ConfigurationError) as error:
        wrong.check(Redactor())
    for part in (
        "pull_secret",
        "api_key",
        "give a name",
        "the key names no column",
        "SCHEMA.TABLE",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("preset", "name"), [("standard", "Host"), ("existing-consumers", "HostState")]
)
def test_the_name_on_the_stream_follows_the_preset(
    run_relay: Callable[..., ProcessUnderTest], preset: str, name: str
) -> None:
    arguments = ["triggers", "hosts", "--key", "cluster_id", "--columns", "cluster_id,status"]
    shown = run_relay(*arguments, environment={"EVENT_STREAM_PRESET": preset})
    assert shown.wait(60) == 0
    assert shown.stdout[0].startswith(f"-- Snapshots of \"hosts\" as '{name}'.")


def test_the_command(
    run_relay: Callable[..., ProcessUnderTest], service_database: Database, stored: Stored
) -> None:
    arguments = ["triggers", "clusters", "--key", "id", "--columns", "name,status"]
    shown = run_relay(*arguments, environment={})
    assert shown.wait(60) == 0
    apply(service_database, "\n".join(shown.stdout))
    apply(
        service_database,
        "INSERT INTO clusters (id, name, status) VALUES (gen_random_uuid(), 'c', 'new')",
    )
    assert [payload["name"] for payload in stored.payloads("ClusterState")] == ["c"]
    refused = run_relay("triggers", "clusters", "--key", "id", "--columns", "pull_secret",
                        environment={})  # fmt: skip
    assert refused.wait(60) == 2
    assert "pull_secret" in "\n".join(refused.stderr)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (TrackedTable("hosts", "Host", key=("cluster_id",), columns=("cluster_id",)), "stop at it"),
        (TrackedTable("hosts", "HostState", key=("cluster_id",), columns=()), "need cluster_id"),
        (TrackedTable("hosts", "HostState", ("id",), ("cluster_id",)), "--key cluster_id"),
        (TrackedTable("clusters", "ClusterState", ("name",), ("name",)), "--key id"),
        (TrackedTable("clusters", "ClusterState", ("id",), ("versions",)), "names versions"),
        (TrackedTable("hosts", "Host", ("id",), ("a.b", "a")), "a.b is a path into a column"),
        (TrackedTable("hosts", "Host", ("id",), ("a.bmc_password",)), "sounds like a secret"),
    ],
)
def test_what_would_stop_existing_consumers_is_refused(table: TrackedTable, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        table.check(Redactor(), format_of(Preset.EXISTING_CONSUMERS))
