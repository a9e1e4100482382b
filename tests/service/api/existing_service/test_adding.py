"""Adding an event as the existing service's clients do."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.service import Stored

EVENTS = "/api/assisted-install/v2/events"


@pytest.fixture
def event() -> dict[str, Any]:
    return {
        "name": "disk_slow",
        "category": "user",
        "severity": "warning",
        "message": "Disk sda is slow",
        "event_time": "2026-11-24T12:00:00.123Z",
        "cluster_id": str(uuid.uuid4()),
        "host_id": str(uuid.uuid4()),
        "infra_env_id": None,
        "request_id": str(uuid.uuid4()),
        "props": '{"ms": 12, "disks": ["sda"]}',
    }


def test_it_is_stored_and_streamed_and_answered_without_a_body(
    admin: TestClient, stored: Stored, event: dict[str, Any]
) -> None:
    answer = admin.post(EVENTS, json=event)
    assert (answer.status_code, answer.content) == (201, b"")
    (listed,) = admin.get(EVENTS).json()
    assert json.loads(listed.pop("props")) == json.loads(event.pop("props"))
    assert listed == event | {"event_time": "2026-11-24T12:00:00.123000Z"}
    (row,) = stored.outbox()
    assert row["headers"] == {"origin": "rest"}


@pytest.mark.parametrize("absent", [{"name": ""}, {"name": None}, {}])
def test_a_measurement_needs_no_name(
    admin: TestClient, event: dict[str, Any], absent: dict[str, Any]
) -> None:
    del event["name"]
    answer = admin.post(EVENTS, json=event | absent | {"category": "metrics"})
    assert answer.status_code == 201, answer.text
    (listed,) = admin.get(EVENTS, params={"categories": "metrics"}).json()
    assert listed["name"] == "metrics"
    refused = admin.post(EVENTS, json=event | absent)
    assert refused.status_code == 400
    assert "name" in refused.json()["reason"]


@pytest.mark.parametrize("props", ["", None, "{}"])
def test_props_may_be_empty(admin: TestClient, event: dict[str, Any], props: str | None) -> None:
    assert admin.post(EVENTS, json=event | {"props": props}).status_code == 201
    assert admin.get(EVENTS).json()[0]["props"] == ""


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"props": "hunter2"}, "props"),
        ({"props": '["hunter2"]'}, "props"),
        ({"props": {"hunter2": 1}}, "props"),
        ({"props": '{"a": {"hunter2": 1, "hunter2": 2}}'}, "props"),
        ({"props": '{"a": NaN, "b": "hunter2"}'}, "props"),
        ({"props": "[" * 5_000}, "props"),
        ({"severity": "hunter2"}, "severity"),
        ({"category": "hunter2"}, "category"),
        ({"cluster_id": "hunter2"}, "cluster_id"),
        ({"event_time": "hunter2"}, "event_time"),
        ({"event_time": "9999-01-01T00:00:00Z"}, "event_time"),
        ({"name": "ClusterState"}, "name"),
    ],
)
def test_what_is_not_valid_is_400_and_named(
    admin: TestClient, stored: Stored, event: dict[str, Any], wrong: dict[str, Any], named: str
) -> None:
    answer = admin.post(EVENTS, json=event | wrong)
    assert answer.status_code == 400, answer.text
    assert named in answer.json()["reason"]
    assert "hunter2" not in answer.text
    assert stored.events() == stored.outbox() == []


@pytest.mark.parametrize("preset", ["standard", "existing-consumers"])
def test_a_rate_limit_is_an_error_only_where_the_event_is_lost(
    make_api: Callable[..., Callable[..., TestClient]],
    stored: Stored,
    event: dict[str, Any],
    preset: str,
) -> None:
    variables = {"EVENT_RATE_LIMITS": '{"disk_slow": "1h"}', "EVENT_STREAM_PRESET": preset}
    admin = make_api(**variables)()
    first, second = (admin.post(EVENTS, json=event) for _ in range(2))
    assert first.status_code == 201
    assert len(stored.events()) == 1
    if preset == "standard":
        assert second.status_code == 429
        assert 0 < int(second.headers["Retry-After"]) <= 3600
        described = admin.get("/openapi.json").json()["paths"][EVENTS]["post"]["responses"]
        assert "Retry-After" in described["429"]["headers"]
        assert len(stored.outbox()) == 1
    else:
        assert second.status_code == 201
        assert len(stored.outbox()) == 2


@pytest.mark.parametrize(("faces", "path"), [("events", EVENTS), ("existing-service", "/events")])
def test_a_face_can_be_switched_off(
    make_api: Callable[..., Callable[..., TestClient]], faces: str, path: str
) -> None:
    admin = make_api(RELAY_API_FACES=faces)()
    assert admin.get(path).status_code == 404
    assert admin.get("/events" if path == EVENTS else EVENTS).status_code == 200


def test_the_prefix_of_our_own_face_is_a_setting(
    make_api: Callable[..., Callable[..., TestClient]],
) -> None:
    admin = make_api(RELAY_API_PREFIX="/history/v1")()
    assert admin.get("/history/v1").status_code == 200
    assert admin.get("/events").status_code == 404


@pytest.mark.parametrize(
    "name", ["message", "severity", "event_time", "cluster_id", "infra_env_id", "host_id"]
)
@pytest.mark.parametrize("preset", ["standard", "existing-consumers"])
def test_props_replace_no_fact_of_the_event_on_the_stream(
    make_api: Callable[..., Callable[..., TestClient]],
    stored: Stored,
    event: dict[str, Any],
    name: str,
    preset: str,
) -> None:
    client = make_api(EVENT_STREAM_PRESET=preset)(cluster_id=event["cluster_id"])
    pretended = json.dumps({name: str(uuid.uuid4())})
    answer = client.post(EVENTS, json=event | {"props": pretended})
    if preset == "standard":
        assert (answer.status_code, stored.outbox()) == (400, [])
        assert name in answer.json()["reason"]
    else:
        # There the props are a text of their own.
        assert answer.status_code == 201
        (row,) = stored.outbox()
        assert row["payload"]["cluster_id"] == event["cluster_id"]
