"""The API serves tables in a schema of their own, which no search_path finds."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from relay.database.migration import migrate
from tests.support.postgres import Database
from tests.support.roles import member

FACES = ("/events", "/api/assisted-install/v2/events")


@pytest.fixture
def api_database(empty_database: Database) -> Iterator[Database]:
    migrate(empty_database.dsn, into="streams")
    with member(empty_database, "outbox_api") as user:
        yield user


@pytest.mark.parametrize("schema", [{"OUTBOX_SCHEMA": "streams"}, {}], ids=["named", "discovered"])
def test_tables_in_a_schema_of_their_own(
    make_api: Callable[..., Callable[..., TestClient]], schema: dict[str, str]
) -> None:
    client = make_api(EVENT_RATE_LIMITS='{"slow": "1h"}', **schema)()
    cluster = str(uuid.uuid4())
    event = {"name": "slow", "severity": "info", "message": "m", "cluster_id": cluster}
    assert client.get("/readyz").status_code == 200
    assert client.post(FACES[0], json=event).status_code == 201
    refused = client.post(FACES[0], json=event)
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    for face in FACES:
        answer = client.get(face, params={"cluster_id": cluster})
        assert [found["name"] for found in answer.json()] == ["slow"]
