import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from relay.service.api.app import Api
from relay.settings import load
from tests.support.authority import AUDIENCE, ISSUER, Authority, bearer, write_key_set
from tests.support.postgres import Database
from tests.support.roles import member
from tests.support.service import Stored

INSERT = """
INSERT INTO outbox_event (name, category, severity, message, event_time,
                    cluster_id, host_id, infra_env_id)
VALUES (%(name)s, %(category)s, %(severity)s, %(message)s, %(event_time)s,
        %(cluster_id)s, %(host_id)s, %(infra_env_id)s)
"""
USUAL: dict[str, Any] = {
    "name": "host_status_updated",
    "category": "user",
    "severity": "info",
    "message": "Host: updated status",
    "event_time": "2026-11-24T12:00:00Z",
    "cluster_id": None,
    "host_id": None,
    "infra_env_id": None,
}

Store = Callable[..., None]


def store_large_events(database: Database, count: int) -> None:
    """Store *count* events of 1 MB each, whose messages count from 0."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message, props)"
            " SELECT 'large', 'info', n::text, json_build_object('log', repeat('x', 1000000))"
            " FROM generate_series(0, %s - 1) AS n",
            [count],
        )


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def api_database(database: Database) -> Iterator[Database]:
    """The database as the API's user sees it."""
    with member(database, "outbox_api") as user:
        yield user


@pytest.fixture
def api_environment(api_database: Database, authority: Authority, tmp_path: Path) -> dict[str, str]:
    """All that `relay api` needs."""
    return {
        "DATABASE_URL": api_database.dsn,
        "ENABLE_EVENT_STREAMING": "true",
        "KAFKA_BOOTSTRAP_SERVER": "127.0.0.1:1",
        "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
        "RELAY_API_JWKS": str(write_key_set(tmp_path / "keys.json", authority)),
        "RELAY_API_ISSUER": ISSUER,
        "RELAY_API_AUDIENCE": AUDIENCE,
        "RELAY_API_HOST": "127.0.0.1",
        "RELAY_API_PORT": "0",
        "RELAY_LOG_FORMAT": "json",
    }


@pytest.fixture
def make_api(
    api_environment: dict[str, str], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Callable[..., TestClient]]]:
    """Serve as these variables say, and connect as `connect` does: `make_api(NAME="…")(role=…)`."""
    with ExitStack() as clients:

        def make(**changes: str) -> Callable[..., TestClient]:
            for name, value in (api_environment | changes).items():
                monkeypatch.setenv(name, value)
            app = Api(load(database=True, stream=True, api=True)).application()
            clients.enter_context(TestClient(app))

            def client(**claims: object) -> TestClient:
                token = authority.token(**(claims or {"role": "admin"}))
                return TestClient(app, headers=bearer(token), raise_server_exceptions=False)

            return client

        yield make


@pytest.fixture
def connect(make_api: Callable[..., Callable[..., TestClient]]) -> Callable[..., TestClient]:
    """A client with a token of these claims: `connect(cluster_id=...)`; an administrator's."""
    return make_api()


@pytest.fixture
def admin(connect: Callable[..., TestClient]) -> TestClient:
    return connect()


@pytest.fixture
def store(database: Database) -> Store:
    """Store an event as a service did: `store(message="...", cluster_id=...)`."""

    def insert(**given: object) -> None:
        with database.connect() as connection:
            connection.execute(INSERT, USUAL | given)

    return insert


@pytest.fixture
def stored(database: Database) -> Stored:
    """All that is stored and streamed."""
    return Stored(database)


@pytest.fixture
def cluster_id() -> uuid.UUID:
    return uuid.uuid4()
