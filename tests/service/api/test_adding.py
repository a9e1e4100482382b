"""Adding an event over HTTP: stored, streamed, redacted, and once."""

import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.postgres import Database
from tests.support.service import Stored

EVENTS = "/api/assisted-install/v2/events"
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


@pytest.fixture
def stored(database: Database) -> Stored:
    return Stored(database)


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
    for claims in ({"role": "admin"}, own, own | {"sub": "another"}):
        assert connect(**claims).post(EVENTS, json=event, headers=key).status_code == 201
    assert len(stored.events()) == 3


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
        {PASSWORD: PASSWORD},
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


def test_a_body_that_is_too_large_is_413(admin: TestClient, event: dict[str, Any]) -> None:
    answer = admin.post(EVENTS, json=event | {"props": {"log": "x" * (1 << 20)}})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
