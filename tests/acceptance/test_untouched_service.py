"""A service that knows nothing of the outbox is streamed by four triggers to existing consumers."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.support.kafka.topics import ConsumedMessage
from tests.support.outbox import Consume, Start
from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.strict_consumer import StrictConsumer

pytestmark = pytest.mark.kafka

EXAMPLE = ROOT / "examples" / "untouched-service" / "stream.sh"
SECRET = "hunter2"
TABLES = """
CREATE TABLE clusters (
    id text PRIMARY KEY, name text, status text, status_info text, user_name text, org_id text,
    openshift_version text, base_dns_domain text, pull_secret text, created_at timestamptz,
    updated_at timestamptz, deleted_at timestamptz
);
CREATE TABLE hosts (
    id text, infra_env_id text, cluster_id text, status text, status_info text, role text,
    inventory text, deleted_at timestamptz, PRIMARY KEY (id, infra_env_id)
);
CREATE TABLE infra_envs (
    id text PRIMARY KEY, cluster_id text, name text, cpu_architecture text, pull_secret text
);
CREATE TABLE events (
    id bigserial PRIMARY KEY, created_at timestamptz, updated_at timestamptz,
    deleted_at timestamptz, category text, cluster_id text, event_time timestamptz, host_id text,
    infra_env_id text, message text, name text, props text, request_id text, severity text
)
"""
EVENT = """
INSERT INTO events (category, cluster_id, event_time, host_id, message, name, props, severity)
VALUES ('user', %s, clock_timestamp(), %s, %s, 'host_status_updated', %s, 'info')
"""
INVENTORY = """{
    "hostname": "h1", "bmc_password": "hunter2", "cpu": {"count": 4, "flags": ["hunter2"]},
    "disks": [{"size_bytes": 5, "serial": "hunter2"}, {"size_bytes": 6}, "hunter2"]
}"""


def stream(database: Database, *arguments: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [str(EXAMPLE), *arguments],
        env={"DATABASE_URL": database.dsn, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def consumed(messages: list[ConsumedMessage]) -> StrictConsumer:
    consumer = StrictConsumer()
    for message in messages:
        consumer.read(message.value)
    return consumer


CLUSTER, HOST, INFRA_ENV, UNBOUND = (str(uuid.uuid4()) for _ in range(4))


@pytest.fixture
def streamed(empty_database: Database) -> Database:
    """A service's database, whose tables were there before they were streamed, after its work."""
    with empty_database.connect(autocommit=True) as service:
        service.execute(TABLES)
        # Twice, as after an upgrade.
        stream(empty_database)
        stream(empty_database)
        service.execute(
            "INSERT INTO clusters (id, status, user_name, pull_secret)"
            " VALUES (%s, 'new', 'me', %s)",
            (CLUSTER, SECRET),
        )
        service.execute(
            "INSERT INTO hosts VALUES (%s, %s, %s, 'known', '', 'worker', %s),"
            " (%s, %s, NULL, 'known', '', NULL, '')",
            (HOST, INFRA_ENV, CLUSTER, INVENTORY, UNBOUND, INFRA_ENV),
        )
        service.execute("INSERT INTO infra_envs (id, cluster_id) VALUES (%s, NULL)", (INFRA_ENV,))
        for props in ('{"a": 1}', "", None):
            service.execute(EVENT, (CLUSTER, HOST, f"props {props}", props))
        service.execute(EVENT, (None, UNBOUND, "of no cluster", "{}"))
        # What deletes a cluster deletes its events: no message of those.
        service.execute("UPDATE events SET deleted_at = now()")
        service.execute("DELETE FROM events")
    return empty_database


def test_clusters_hosts_infra_envs_and_events(
    streamed: Database, relay: Start, read: Consume
) -> None:
    process = relay(DATABASE_URL=streamed.dsn, EVENT_STREAM_PRESET="existing-consumers")
    messages = read(count=8)
    assert process.terminate() == 0
    consumer = consumed(messages)
    assert SECRET not in str(messages)
    assert {m.key for m in messages} == {CLUSTER.encode(), b""}

    assert consumer.states["ClusterState"][CLUSTER]["user_name"] == "me"
    bound, other = consumer.states["HostState"][HOST], consumer.states["HostState"][UNBOUND]
    assert (bound["cluster_id"], other["cluster_id"], other["inventory"]) == (CLUSTER, "", None)
    assert bound["inventory"] == {
        "hostname": "h1",
        "cpu": {"count": 4},
        "disks": [{"size_bytes": 5}, {"size_bytes": 6}, None],
    }
    assert consumer.states["InfraEnv"][INFRA_ENV]["cluster_id"] == ""

    documents = list(consumer.documents.values())
    assert [(d["message"], d["props"]) for d in documents] == [
        ('props {"a": 1}', {"a": 1}),
        ("props ", {}),
        ("props None", {}),
    ]
    first = documents[0]
    assert (first["name"], first["cluster"]["id"]) == ("host_status_updated", CLUSTER)
    assert [each["id"] for each in first["hosts"]] == [HOST]
    assert "T" in first["event_time"]
    assert first["event_time"].endswith("+00:00")
    assert [event["message"] for event in consumer.dropped] == ["of no cluster"]
    assert_the_triggers_go_again(streamed)


def assert_the_triggers_go_again(streamed: Database) -> None:
    stream(streamed, "--drop")
    with streamed.connect(autocommit=True) as service:
        service.execute(EVENT, ("c", "h", "unseen", "{}"))
        left = service.execute("SELECT count(*) FROM relay.outbox").fetchone()
        triggers = service.execute(
            "SELECT count(*) FROM pg_trigger"
            " WHERE tgrelid = 'events'::regclass AND NOT tgisinternal"
        ).fetchone()
    assert (left, triggers) == ((0,), (0,))
