"""docs/operations.md: users with the rights that it grants, and no others, audit and replay."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from relay import Outbox
from relay.operations.triggers import TrackedTable
from tests.support.models import Cluster, Host, HostStatusUpdated
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest, RunRelay
from tests.support.repository import ROOT
from tests.support.roles import stranger
from tests.support.service import WRITER, Stored

PAGE = ROOT / "docs" / "operations.md"
(GRANTS,) = re.findall(r"```sql\n-- as their owner\n(.*?)```", PAGE.read_text(), re.DOTALL)
HOSTS_BY_THE_SESSION = """
from relay import Outbox
from tests.support.models import Host
outbox = Outbox(streaming=True)
outbox.track(Host)
"""
CLUSTERS_BY_TRIGGER = TrackedTable("clusters", "ClusterState", key=("id",), columns=("name",))


@dataclass(frozen=True)
class Users:
    owner: Database
    auditor: Database
    replayer: Database

    def granted(self, grants: str) -> None:
        """Give them what the page says."""
        for name, user in (("auditor", self.auditor), ("replayer", self.replayer)):
            grants = grants.replace(name, user.user)
        with self.owner.connect() as connection:
            connection.execute(grants.encode())


@pytest.fixture
def users(service_database: Database) -> Iterator[Users]:
    with stranger(service_database) as auditor, stranger(service_database) as replayer:
        yield Users(service_database, auditor, replayer)


@pytest.fixture
def cluster(engine: Engine, service_outbox: Outbox, service_database: Database) -> uuid.UUID:
    """A cluster with a host and an event, written by a service whose rights nobody else has.

    Nothing of them waits in the outbox.
    """
    cluster = uuid.uuid4()
    with Session(engine) as session, session.begin():
        session.add(Cluster(id=cluster, name="c"))
        session.flush()
        session.add(Host(cluster_id=cluster))
        told = HostStatusUpdated(cluster_id=cluster, host_name="h", old="a", new="b")
        service_outbox.emit(session, told)
    with service_database.connect() as owner:
        owner.execute(f"REVOKE ALL ON clusters, hosts FROM {WRITER}".encode())
        owner.execute("DELETE FROM outbox")
        owner.execute(CLUSTERS_BY_TRIGGER.create().encode())
    return cluster


@pytest.fixture
def replay(run_relay: RunRelay, tmp_path: Path, cluster: uuid.UUID) -> RunRelay:
    """Replay all that there is of the cluster, as this user."""
    (tmp_path / "service_with_hosts.py").write_text(HOSTS_BY_THE_SESSION)

    def run(user: Database, *arguments: str) -> ProcessUnderTest:
        environment = {"DATABASE_URL": user.dsn, "PYTHONPATH": f"{tmp_path}:."}
        source = ("--outbox", "service_with_hosts:outbox")
        given = ("replay", "--cluster", str(cluster), *source, "--json", *arguments)
        return run_relay(*given, environment=environment)

    return run


def counts(process: ProcessUnderTest) -> Mapping[str, int]:
    assert process.wait(60) == 0, process.output
    answer: Mapping[str, Mapping[str, int]] = json.loads(process.stdout[-1])
    return answer["replayed"]


ALL = {"ClusterState": 1, "Host": 1, "HostStatusUpdated": 1}


@pytest.mark.usefixtures("cluster")
def test_the_auditor_audits(run_relay: RunRelay, users: Users) -> None:
    users.granted(GRANTS)
    with users.owner.connect() as owner:
        owner.execute("INSERT INTO outbox (name, payload) VALUES ('Leaky', '{\"token\": \"abc\"}')")
        owner.execute('UPDATE outbox_event SET props = \'{"password": "abc"}\'')
    process = run_relay("audit", "--json", environment={"DATABASE_URL": users.auditor.dsn})
    assert process.wait(60) == 1, process.output
    assert [json.loads(line).get("field") for line in process.stdout] == [
        "payload.token", "props.password", None,
    ]  # fmt: skip


def test_the_replayer_replays(replay: RunRelay, users: Users, stored: Stored) -> None:
    users.granted(GRANTS)
    assert counts(replay(users.replayer)) == ALL
    assert stored.names() == list(ALL)


def test_to_read_is_enough_for_a_dry_run(replay: RunRelay, users: Users, stored: Stored) -> None:
    users.granted(f"{GRANTS}; GRANT SELECT ON clusters, hosts TO auditor")
    assert counts(replay(users.auditor, "--dry-run")) == ALL
    assert stored.outbox() == []


def test_events_alone_need_nothing_on_the_services_tables(
    replay: RunRelay, users: Users, stored: Stored
) -> None:
    users.granted("\n".join(line for line in GRANTS.splitlines() if "clusters" not in line))
    assert counts(replay(users.replayer, "--events")) == {"HostStatusUpdated": 1}
    assert stored.names() == ["HostStatusUpdated"]


@pytest.mark.parametrize("right", [", outbox_writer", "outbox_payload_reader, ", ", UPDATE (id)"])
def test_none_of_it_is_too_much(right: str, replay: RunRelay, users: Users, stored: Stored) -> None:
    assert right in GRANTS
    users.granted(GRANTS.replace(right, ""))
    process = replay(users.replayer)
    assert process.wait(60) == 1, process.output
    assert "permission denied" in process.output
    assert "Traceback" not in process.output
    assert "HostStatusUpdated" not in stored.names()
