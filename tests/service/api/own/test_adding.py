"""Adding an event over HTTP: stored, streamed, redacted, and once."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.postgres import Database
from tests.support.service import Stored

EVENTS = "/events"
PASSWORD = "hunter2-hunter2"


@pytest.fixture
def event() -> dict[str, Any]:
    return {
        "name": "disk_slow",
        "severity": "warning",
        "message": "Disk {sda} is slow",
        "cluster_id": str(uuid.uuid4()),
        "host_id": str(uuid.uuid4()),
        "props": {"ms": 12, "disks": ["sda"]},
    }


def test_it_is_stored_and_streamed_like_any_other(
    admin: TestClient, stored: Stored, event: dict[str, Any]
) -> None:
    answer = admin.post(EVENTS, json=event | {"event_time": "2026-11-24T13:00:00+01:00"})
    assert answer.status_code == 201, answer.text
    assert {name: answer.json()[name] for name in event} == event
    assert answer.json()["event_time"] == "2026-11-24T12:00:00.000000Z"
    assert admin.get(EVENTS, params={"cluster_id": event["cluster_id"]}).json() == [answer.json()]
    (row,) = stored.outbox()
    assert (row["name"], row["key"]) == ("disk_slow", event["cluster_id"])
    assert str(row["event_id"]) == answer.json()["event_id"]
    assert row["payload"] == {
        "message": "Disk {sda} is slow",
        "severity": "warning",
        "event_time": "2026-11-24T12:00:00.000000+00:00",
        "cluster_id": event["cluster_id"],
        "host_id": event["host_id"],
        "infra_env_id": None,
        "ms": 12,
        "disks": ["sda"],
    }


def test_secrets_reach_no_table_and_no_answer(
    admin: TestClient, stored: Stored, event: dict[str, Any]
) -> None:
    event["message"] = f"cannot open postgresql://user:{PASSWORD}@host/name"
    event["props"] = {"bmc": {"password": PASSWORD}, "log": f"Authorization: Bearer {PASSWORD}"}
    answer = admin.post(EVENTS, json=event)
    assert answer.status_code == 201
    assert PASSWORD not in answer.text
    assert PASSWORD not in stored.shown()


def test_with_a_key_it_is_added_once(
    admin: TestClient, stored: Stored, event: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "a"}
    first = admin.post(EVENTS, json=event, headers=key)
    again = admin.post(EVENTS, json=event, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(stored.events()) == len(stored.outbox()) == 1
    assert admin.post(EVENTS, json=event, headers={"Idempotency-Key": "b"}).status_code == 201
    assert len(stored.events()) == len(stored.outbox()) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"message": "something else"},
        {"props": {}},
        {"severity": "error"},
        {"host_id": None},
        {"event_time": "2020-01-01T00:00:00Z"},
    ],
)
def test_a_key_of_another_event_is_409(
    admin: TestClient, stored: Stored, event: dict[str, Any], other: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "a"}
    admin.post(EVENTS, json=event, headers=key)
    assert admin.post(EVENTS, json=event | other, headers=key).status_code == 409
    assert len(stored.events()) == 1


def test_a_key_belongs_to_whoever_sent_it(
    connect: Callable[..., TestClient], stored: Stored, event: dict[str, Any]
) -> None:
    key = {"Idempotency-Key": "a"}
    own = {"cluster_id": event["cluster_id"]}
    nameless = {"role": "admin", "sub": None}
    for claims in (
        {"role": "admin"},
        own,
        own | {"sub": "another"},
        nameless | {"jti": "1"},
        nameless | {"jti": "2"},
    ):
        answer = connect(**claims).post(EVENTS, json=event, headers=key)
        assert answer.status_code == 201
    assert len(stored.events()) == 5


def test_a_key_works_for_requests_at_the_same_time(
    admin: TestClient, stored: Stored, event: dict[str, Any]
) -> None:
    answers: list[int] = []

    def post() -> None:
        answer = admin.post(EVENTS, json=event, headers={"Idempotency-Key": "a"})
        answers.append(answer.status_code)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 6
    assert len(stored.events()) == len(stored.outbox()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": None},
        {"name": ""},
        {"message": f"{PASSWORD}\0"},
        {"severity": PASSWORD},
        {"cluster_id": PASSWORD},
        {"cluster_id": None, "host_id": None},
        {"event_time": PASSWORD},
        {"event_time": "2026-11-24T12:00:00"},
        {"event_time": "0001-01-01T00:00:00+14:00"},
        {"props": PASSWORD},
        {"props": {"message": PASSWORD}},
        {"props": {PASSWORD: "\0"}},
        {"props": {"text": f"{PASSWORD}\ud800"}},
        {"unheard_of": PASSWORD},
    ],
)
def test_what_cannot_be_stored_is_explained_without_repeating_it(
    admin: TestClient, stored: Stored, event: dict[str, Any], wrong: dict[str, Any]
) -> None:
    # Not by the client's own encoder, which refuses half a surrogate pair itself.
    answer = admin.post(EVENTS, content=json.dumps(event | wrong))
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert PASSWORD not in answer.text
    assert stored.events() == stored.outbox() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 422), (b"{", 422), (b"[" * 100_000, 400), (b"\xff", 400), (b"null", 422)],
)
def test_a_body_that_is_no_object_is_a_problem(admin: TestClient, body: bytes, status: int) -> None:
    answer = admin.post(EVENTS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_offset_that_postgresql_does_not_know_is_taken(
    admin: TestClient, event: dict[str, Any]
) -> None:
    answer = admin.post(EVENTS, json=event | {"event_time": "2026-11-24T12:00:00-18:32"})
    assert answer.json()["event_time"] == "2026-11-25T06:32:00.000000Z"


def test_props_without_end_are_422(admin: TestClient, event: dict[str, Any]) -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"deeper": deep}
    assert admin.post(EVENTS, json=event | {"props": deep}).status_code == 422


def test_a_body_in_chunks_that_is_too_large_is_413(admin: TestClient) -> None:
    # No Content-Length says so beforehand.
    answer = admin.post(EVENTS, content=iter([b'{"name": "', *[b"x" * 65_536] * 17]))
    assert answer.status_code == 413


def test_a_body_that_is_too_large_is_413(admin: TestClient, event: dict[str, Any]) -> None:
    answer = admin.post(EVENTS, json=event | {"props": {"log": "x" * (1 << 20)}})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "name",
    [
        "ClusterState",
        "HostState",
        "InfraEnv",
        "Cluster",
        "Host",
        "clusterstate",
        " ClusterState ",
        "Widget",
    ],
)
def test_a_name_of_snapshots_is_refused(
    make_api: Callable[..., Callable[..., TestClient]],
    stored: Stored,
    event: dict[str, Any],
    name: str,
) -> None:
    client = make_api(RELAY_API_RESERVED_NAMES="Gadget, Widget")(cluster_id=event["cluster_id"])
    pretended = {"id": str(uuid.uuid4()), "deleted": True}
    answer = client.post(EVENTS, json=event | {"name": name, "props": pretended})
    assert (answer.status_code, answer.json()["faults"][0]["where"]) == (400, "body.name")
    assert stored.outbox() == []


def test_what_came_by_rest_is_marked_on_the_stream(
    admin: TestClient, stored: Stored, event: dict[str, Any]
) -> None:
    spoofed = event | {"props": {"origin": "service", "headers": {"origin": "service"}}}
    admin.post(EVENTS, json=spoofed, headers={"origin": "https://a.example"})
    assert [row["headers"] for row in stored.outbox()] == [{"origin": "rest"}]


@pytest.mark.parametrize(
    "distance", [timedelta(hours=1), timedelta(days=365 * 2_000), timedelta(days=-365 * 20)]
)
def test_a_time_far_away_is_400_that_says_so(
    admin: TestClient, stored: Stored, event: dict[str, Any], distance: timedelta
) -> None:
    moment = (datetime.now(UTC) + distance).isoformat()
    answer = admin.post(EVENTS, json=event | {"event_time": moment})
    (fault,) = answer.json()["faults"]
    assert (answer.status_code, fault["where"]) == (400, "body.event_time")
    assert "at most" in fault["fault"]
    assert stored.events() == []


def test_a_clock_that_is_a_little_ahead_is_accepted(
    admin: TestClient, event: dict[str, Any]
) -> None:
    moment = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    assert admin.post(EVENTS, json=event | {"event_time": moment}).status_code == 201


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"name": 1}', b"x" * (2 << 20)])
def test_without_a_token_nothing_else_is_looked_at(admin: TestClient, body: bytes) -> None:
    headers = {"Authorization": "", "Content-Type": "application/json"}
    for query in ({}, {"nonsense": "1"}, {"limit": "x"}, {"limit": ["1", "2"]}):
        answer = admin.post(EVENTS, content=body, params=query, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert admin.get(EVENTS, params=query, headers=headers).status_code == 401


def test_a_name_that_is_given_twice_is_400(admin: TestClient, event: dict[str, Any]) -> None:
    text = json.dumps(event)[:-1] + f', "cluster_id": "{uuid.uuid4()}"}}'
    answer = admin.post(EVENTS, content=text, headers={"Content-Type": "application/json"})
    (fault,) = answer.json()["faults"]
    assert (answer.status_code, fault["where"]) == (400, "body.cluster_id")


def test_a_rate_limit_says_when_to_come_back(
    make_api: Callable[..., Callable[..., TestClient]],
    stored: Stored,
    event: dict[str, Any],
    database: Database,
) -> None:
    admin = make_api(EVENT_RATE_LIMITS='{"disk_slow": "1h"}')()
    assert admin.post(EVENTS, json=event).status_code == 201
    with database.connect() as owner:
        owner.execute("UPDATE outbox_event_limit SET last_at = last_at - interval '50 minutes'")
    answer = admin.post(EVENTS, json=event)
    assert answer.status_code == 429
    # What is left of it, not the whole pause.
    assert 500 < int(answer.headers["Retry-After"]) <= 600
    assert len(stored.events()) == len(stored.outbox()) == 1
    described = admin.get("/openapi.json").json()["paths"][EVENTS]["post"]["responses"]["429"]
    assert "Retry-After" in described["headers"]


def test_who_may_only_read_adds_nothing(
    connect: Callable[..., TestClient], stored: Stored, event: dict[str, Any]
) -> None:
    client = connect(realm_access={"roles": ["read-only-admin"]})
    assert client.get(EVENTS).status_code == 200
    assert client.post(EVENTS, json=event).status_code == 403
    assert stored.events() == []
