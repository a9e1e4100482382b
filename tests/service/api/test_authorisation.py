"""Every filter against every kind of token."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.api.conftest import Store

EVENTS = "/api/assisted-install/v2/events"

OWN, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
OWN_ENV, OTHER_ENV = uuid.UUID(int=3), uuid.UUID(int=4)
OWN_HOST, OTHER_HOST, ENV_HOST = uuid.UUID(int=5), uuid.UUID(int=6), uuid.UUID(int=7)
NOBODYS_HOST = uuid.UUID(int=8)

STORED: tuple[Mapping[str, Any], ...] = (
    {"message": "own", "cluster_id": OWN, "severity": "error"},
    {"message": "own host", "cluster_id": OWN, "host_id": OWN_HOST},
    {"message": "own env", "infra_env_id": OWN_ENV},
    {"message": "own env host", "infra_env_id": OWN_ENV, "host_id": ENV_HOST},
    {"message": "other", "cluster_id": OTHER, "severity": "error"},
    {"message": "other host", "cluster_id": OTHER, "host_id": OTHER_HOST},
    {"message": "other env", "infra_env_id": OTHER_ENV, "category": "metrics"},
    {"message": "nobody's host", "host_id": NOBODYS_HOST},
)

TOKENS: Mapping[str, Mapping[str, object]] = {
    "admin": {"role": "admin"},
    "cluster": {"cluster_id": str(OWN)},
    "infra_env": {"infra_env_id": [str(OWN_ENV)]},
    "both": {"cluster_id": [str(OWN)], "infra_env_id": str(OWN_ENV)},
    "bound admin": {"role": "admin", "cluster_id": str(OWN)},
    "stranger": {"cluster_id": str(uuid.UUID(int=99))},
}
CLUSTER, ENV = {"own", "own host"}, {"own env", "own env host"}
VISIBLE: Mapping[str, set[str]] = {
    "admin": {str(each["message"]) for each in STORED},
    "cluster": CLUSTER,
    "infra_env": ENV,
    "both": CLUSTER | ENV,
    "bound admin": CLUSTER,
    "stranger": set(),
}

# What each filter asks for, what an administrator finds, and the tokens that may ask at all.
ALL = frozenset(TOKENS)
WITH_CLUSTER = frozenset({"admin", "cluster", "both", "bound admin"})
WITH_ENV = frozenset({"admin", "infra_env", "both"})
FILTERS: tuple[tuple[Mapping[str, Any], set[str], frozenset[str]], ...] = (
    ({}, VISIBLE["admin"], ALL),
    ({"cluster_id": OWN}, CLUSTER, WITH_CLUSTER),
    ({"cluster_id": OTHER}, {"other", "other host"}, frozenset({"admin"})),
    ({"cluster_id": uuid.UUID(int=77)}, set(), frozenset({"admin"})),
    ({"infra_env_id": OWN_ENV}, ENV, WITH_ENV),
    ({"infra_env_id": OTHER_ENV}, {"other env"}, frozenset({"admin"})),
    ({"cluster_id": OWN, "infra_env_id": OWN_ENV}, set(), frozenset({"admin", "both"})),
    ({"cluster_id": OWN, "infra_env_id": OTHER_ENV}, set(), frozenset({"admin"})),
    ({"host_ids": str(OWN_HOST)}, {"own host"}, WITH_CLUSTER),
    ({"host_ids": str(ENV_HOST)}, {"own env host"}, WITH_ENV),
    ({"host_ids": str(OTHER_HOST)}, {"other host"}, frozenset({"admin"})),
    ({"host_ids": str(NOBODYS_HOST)}, {"nobody's host"}, frozenset({"admin"})),
    ({"host_ids": f"{OWN_HOST},{OTHER_HOST}"}, {"own host", "other host"}, frozenset({"admin"})),
    ({"host_ids": f"{OWN_HOST},{ENV_HOST}"}, {"own host", "own env host"},
     frozenset({"admin", "both"})),
    ({"host_ids": str(OTHER_HOST), "cluster_id": OWN}, set(), frozenset({"admin"})),
    ({"host_ids": str(OTHER_HOST), "cluster_level": True},
     {"own", "own env", "other", "other env", "other host"}, frozenset({"admin"})),
    ({"cluster_level": True}, {"own", "own env", "other", "other env"}, ALL),
    ({"cluster_level": False}, {"own host", "own env host", "other host", "nobody's host"}, ALL),
    ({"severities": "error"}, {"own", "other"}, ALL),
    ({"categories": "metrics"}, {"other env"}, ALL),
    ({"message": "host"}, {"own host", "own env host", "other host", "nobody's host"}, ALL),
    ({"order": "descending"}, VISIBLE["admin"], ALL),
    ({"limit": 100}, VISIBLE["admin"], ALL),
    ({"cursor": "0.0"}, VISIBLE["admin"], ALL),
)  # fmt: skip


@pytest.fixture
def stored(store: Store) -> None:
    for event in STORED:
        store(**event)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_finds_its_own_and_anything_else_is_404(
    connect: Callable[..., TestClient], kind: str
) -> None:
    client = connect(**TOKENS[kind])
    for query, found, allowed in FILTERS:
        answer = client.get(EVENTS, params=dict(query))
        if kind not in allowed:
            assert answer.status_code == 404, query
            assert "event" not in answer.text
            continue
        assert answer.status_code == 200, (query, answer.text)
        expected = found & VISIBLE[kind]
        assert {event["message"] for event in answer.json()} == expected, query
        if "cursor" not in query:
            assert answer.headers["Event-Count"] == str(len(expected)), query


@pytest.mark.usefixtures("stored")
def test_an_offset_leads_to_nobody_elses(connect: Callable[..., TestClient]) -> None:
    client = connect(**TOKENS["cluster"])
    assert client.get(EVENTS, params={"offset": 1}).json()[0]["message"] == "own host"
    assert client.get(EVENTS, params={"offset": 2}).json() == []


def test_without_a_valid_token_every_filter_is_401(admin: TestClient) -> None:
    expired = admin.headers["Authorization"][:-3] + "AAA"
    for authorization in ("", "Basic YTpi", expired):
        headers = {"Authorization": authorization}
        for query, _, _ in FILTERS:
            answer = admin.get(EVENTS, params=dict(query), headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("kind", "owners", "status"),
    [
        ("admin", {"cluster_id": OTHER}, 201),
        ("admin", {"host_id": OTHER_HOST}, 201),
        ("cluster", {"cluster_id": OWN, "host_id": OWN_HOST}, 201),
        ("cluster", {"cluster_id": OTHER}, 404),
        ("cluster", {"cluster_id": OWN, "infra_env_id": OTHER_ENV}, 404),
        ("cluster", {"host_id": OWN_HOST}, 404),
        ("infra_env", {"infra_env_id": OWN_ENV}, 201),
        ("infra_env", {"cluster_id": OWN}, 404),
        ("both", {"cluster_id": OWN, "infra_env_id": OWN_ENV}, 201),
        ("bound admin", {"cluster_id": OTHER}, 404),
        ("stranger", {"cluster_id": OWN}, 404),
    ],
)
def test_a_token_adds_events_to_its_own_alone(
    connect: Callable[..., TestClient],
    kind: str,
    owners: dict[str, uuid.UUID],
    status: int,
) -> None:
    event = {"name": "noted", "severity": "info", "message": "it happened"}
    event |= {owner: str(value) for owner, value in owners.items()}
    assert connect(**TOKENS[kind]).post(EVENTS, json=event).status_code == status


def test_an_expired_token_is_401(connect: Callable[..., TestClient]) -> None:
    answer = connect(role="admin", exp=time.time() - 3600).get(EVENTS)
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]
