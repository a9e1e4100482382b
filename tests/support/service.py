import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url

from relay import Outbox
from tests.support.models import Base, Cluster, Host, InfraEnv
from tests.support.postgres import Database

WRITER = "outbox_writer"
VERSIONS = {"assisted-installer-service": "v2.40"}


@dataclass(frozen=True)
class Stored:
    """What other transactions see of the outbox and of outbox_event, in the order of the ids."""

    database: Database

    def outbox(self) -> list[dict[str, Any]]:
        return self._read("SELECT * FROM outbox ORDER BY id")

    def events(self) -> list[dict[str, Any]]:
        return self._read("SELECT * FROM outbox_event ORDER BY id")

    def states(self) -> list[tuple[str, object, bool]]:
        """Name, id and "is a deleted snapshot" of each row of the outbox."""
        return [
            (row["name"], row["payload"].get("id"), "deleted" in row["payload"])
            for row in self.outbox()
        ]

    def names(self) -> list[str]:
        return [row["name"] for row in self.outbox()]

    def payloads(self, name: str) -> list[dict[str, Any]]:
        return [row["payload"] for row in self.outbox() if row["name"] == name]

    def shown(self) -> str:
        """Both tables as one text, to look for what must not be there."""
        return json.dumps([self.outbox(), self.events()], default=str)

    def _read(self, query: str) -> list[dict[str, Any]]:
        with self.database.connect() as connection, connection.cursor(row_factory=dict_row) as cur:
            return cur.execute(query).fetchall()


@pytest.fixture
def service_database(database: Database) -> Database:
    """A database with the service's own tables; everybody there is a mere writer of the outbox."""
    owner = create_engine(url(database))
    Base.metadata.create_all(owner)
    owner.dispose()
    with database.connect() as connection:
        tables = ", ".join(Base.metadata.tables)
        connection.execute(f"GRANT ALL ON {tables} TO {WRITER}".encode())
    return database


@pytest.fixture
def engine(service_database: Database) -> Iterator[Engine]:
    """An engine whose connections may only INSERT into the outbox and the events."""
    engine = create_engine(url(service_database), connect_args={"options": f"-c role={WRITER}"})
    yield engine
    engine.dispose()


@pytest.fixture
def stored(database: Database) -> Stored:
    return Stored(database)


@pytest.fixture
def make_outbox() -> Iterator[Callable[..., Outbox]]:
    made: list[Outbox] = []

    def make(*, streaming: bool = True, ordered: bool = False) -> Outbox:
        made.append(Outbox(streaming=streaming, versions=VERSIONS, ordered=ordered))
        return made[-1]

    yield make
    for outbox in made:
        outbox.close()


@pytest.fixture
def service_outbox(make_outbox: Callable[..., Outbox]) -> Outbox:
    """An outbox that tracks nothing."""
    return make_outbox()


@pytest.fixture
def tracking(service_outbox: Outbox) -> Outbox:
    """An outbox that tracks clusters, infra-envs and hosts."""
    for entity in (Cluster, InfraEnv, Host):
        service_outbox.track(entity)
    return service_outbox


@pytest.fixture
def cluster(service_database: Database) -> uuid.UUID:
    """A cluster that nobody tracked when it came."""
    return inserted(
        service_database, "INSERT INTO clusters (id, name, status) VALUES (%s, 'c', '')"
    )


@pytest.fixture
def host(service_database: Database, cluster: uuid.UUID) -> uuid.UUID:
    return inserted(
        service_database,
        "INSERT INTO hosts (id, cluster_id, name, status, inventory)"
        " VALUES (%s, %s, 'host', 'discovering', '{}')",
        cluster,
    )


def inserted(database: Database, statement: str, *values: uuid.UUID) -> uuid.UUID:
    identity = uuid.uuid4()
    with database.connect() as connection:
        connection.execute(statement.encode(), (identity, *values))
    return identity


def url(database: Database, driver: str = "psycopg") -> URL:
    return make_url(database.dsn).set(drivername=f"postgresql+{driver}")
