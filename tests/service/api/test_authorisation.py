"""Every filter against every kind of token, on both faces."""

import time
import uuid
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.service.api.conftest import Store
from tests.support.postgres import Database

EVENTS = "/events"
EXISTING = "/api/assisted-install/v2/events"

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
    "host": {"host_id": str(OWN_HOST)},
    "bound admin": {"role": "admin", "cluster_id": str(OWN)},
    "infra_env admin": {"realm_access": {"roles": ["admin"]}, "infra_env_id": str(OWN_ENV)},
    "host admin": {"role": "admin", "host_id": str(OWN_HOST)},
    "read-only admin": {"role": "read-only-admin"},
    "owner": {"username": "ada"},
    "member": {"username": "bob", "org_id": "acme"},
    "nobody": {"username": "eve", "org_id": "evil"},
    "stranger": {"cluster_id": str(uuid.UUID(int=99))},
}
CLUSTER, ENV = {"own", "own host"}, {"own env", "own env host"}
VISIBLE: Mapping[str, set[str]] = {
    "admin": {str(each["message"]) for each in STORED},
    "cluster": CLUSTER,
    "infra_env": ENV,
    "both": CLUSTER | ENV,
    "host": {"own host"},
    "bound admin": CLUSTER,
    "infra_env admin": ENV,
    "host admin": {"own host"},
    "read-only admin": {str(each["message"]) for each in STORED},
    "owner": CLUSTER,
    "member": CLUSTER | ENV,
    "nobody": set(),
    "stranger": set(),
}

# What each filter asks for, what an administrator finds, and the tokens that may ask at all.
ALL = frozenset(TOKENS)
ADMINS = frozenset({"admin", "read-only admin"})
WITH_CLUSTER = ADMINS | {"cluster", "both", "bound admin", "owner", "member"}
WITH_ENV = ADMINS | {"infra_env", "both", "infra_env admin", "member"}
FILTERS: tuple[tuple[Mapping[str, Any], set[str], frozenset[str]], ...] = (
    ({}, VISIBLE["admin"], ALL),
    ({"cluster_id": OWN}, CLUSTER, WITH_CLUSTER),
    ({"cluster_id": OTHER}, {"other", "other host"}, ADMINS),
    ({"cluster_id": uuid.UUID(int=77)}, set(), ADMINS),
    ({"infra_env_id": OWN_ENV}, ENV, WITH_ENV),
    ({"infra_env_id": OTHER_ENV}, {"other env"}, ADMINS),
    ({"cluster_id": OWN, "infra_env_id": OWN_ENV}, set(), WITH_CLUSTER & WITH_ENV),
    ({"cluster_id": OWN, "infra_env_id": OTHER_ENV}, set(), ADMINS),
    ({"host_ids": str(OWN_HOST)}, {"own host"}, ALL),
    ({"host_ids": str(ENV_HOST)}, {"own env host"}, ALL),
    ({"host_ids": str(OTHER_HOST)}, {"other host"}, ALL),
    ({"host_ids": str(NOBODYS_HOST)}, {"nobody's host"}, ALL),
    ({"host_ids": str(uuid.UUID(int=78))}, set(), ALL),
    ({"host_ids": f"{OWN_HOST},{OTHER_HOST}"}, {"own host", "other host"}, ALL),
    ({"host_ids": f"{OWN_HOST},{ENV_HOST}"}, {"own host", "own env host"}, ALL),
    ({"host_ids": str(OTHER_HOST), "cluster_id": OWN}, set(), WITH_CLUSTER),
    ({"host_ids": str(OTHER_HOST), "cluster_level": True},
     {"own", "own env", "other", "other env", "other host"}, ALL),
    ({"cluster_level": True}, {"own", "own env", "other", "other env"}, ALL),
    ({"severities": "error"}, {"own", "other"}, ALL),
    ({"categories": "metrics"}, {"other env"}, ALL),
    ({"message": "host"}, {"own host", "own env host", "other host", "nobody's host"}, ALL),
    ({"order": "descending"}, VISIBLE["admin"], ALL),
    ({"limit": 100}, VISIBLE["admin"], ALL),
)  # fmt: skip
OWN_FILTERS: tuple[tuple[Mapping[str, Any], set[str], frozenset[str]], ...] = (
    ({"cluster_level": False}, {"own host", "own env host", "other host", "nobody's host"}, ALL),
    ({"cursor": "0.0"}, VISIBLE["admin"], ALL),
    ({"subject": OWN}, CLUSTER, ALL),
    ({"subject": OTHER}, {"other", "other host"}, ALL),
    ({"subject": OTHER_ENV}, {"other env"}, ALL),
    ({"subject": OTHER_HOST}, {"other host"}, ALL),
    ({"names": "host_status_updated"}, VISIBLE["admin"], ALL),
    ({"since": "2026-01-01T00:00:00Z"}, VISIBLE["admin"], ALL),
    ({"until": "2027-01-01T00:00:00Z"}, VISIBLE["admin"], ALL),
    ({"request_id": "r-1"}, set(), ALL),
)
EXISTING_FILTERS: tuple[tuple[Mapping[str, Any], set[str], frozenset[str]], ...] = (
    ({"host_id": str(OTHER_HOST)}, {"other host"}, ALL),
    ({"deleted_hosts": "true"}, VISIBLE["admin"], ALL),
    ({"cluster_level": "false"}, VISIBLE["admin"], ALL),
    ({"limit": "-1", "offset": "-1"}, VISIBLE["admin"], ALL),
    ({"cluster_id": "", "host_ids": "", "severities": ""}, VISIBLE["admin"], ALL),
)

# Who adds an event of whom, and the answer.
ADDED: tuple[tuple[str, Mapping[str, uuid.UUID], int], ...] = (
    ("admin", {"cluster_id": OTHER}, 201),
    ("admin", {"host_id": OTHER_HOST}, 201),
    ("cluster", {"cluster_id": OWN, "host_id": OWN_HOST}, 201),
    ("cluster", {"cluster_id": OTHER}, 404),
    ("cluster", {"cluster_id": OWN, "infra_env_id": OTHER_ENV}, 404),
    ("cluster", {"host_id": OWN_HOST}, 404),
    ("infra_env", {"infra_env_id": OWN_ENV}, 201),
    ("infra_env", {"cluster_id": OWN}, 404),
    ("both", {"cluster_id": OWN, "infra_env_id": OWN_ENV}, 201),
    ("cluster", {"cluster_id": OWN, "host_id": OTHER_HOST}, 404),
    ("cluster", {"cluster_id": OWN, "host_id": uuid.UUID(int=78)}, 201),
    ("host", {"host_id": OWN_HOST}, 201),
    ("host", {"host_id": OTHER_HOST}, 404),
    ("host", {"host_id": OWN_HOST, "cluster_id": OTHER}, 404),
    ("infra_env admin", {"cluster_id": OWN}, 404),
    ("host admin", {"cluster_id": OTHER}, 404),
    ("read-only admin", {"cluster_id": OWN}, 403),
    ("owner", {"cluster_id": OWN}, 201),
    ("owner", {"cluster_id": OTHER}, 404),
    ("member", {"infra_env_id": OWN_ENV}, 201),
    ("nobody", {"cluster_id": OWN}, 404),
    ("bound admin", {"cluster_id": OTHER}, 404),
    ("stranger", {"cluster_id": OWN}, 404),
)


@pytest.fixture
def owning(
    make_api: Callable[..., Callable[..., TestClient]], database: Database, api_database: Database
) -> Callable[..., TestClient]:
    """Connect to an API whose deployment says who owns which cluster."""
    with database.connect() as connection:
        connection.execute("CREATE TABLE cluster_owners (id uuid, user_name text, org_id text)")
        connection.execute("INSERT INTO cluster_owners VALUES (%s, 'ada', 'acme')", (OWN,))
        connection.execute(f"GRANT SELECT ON cluster_owners TO {api_database.user}")
    return make_api(
        RELAY_API_OWNED_CLUSTERS_QUERY="SELECT id FROM cluster_owners"
        " WHERE user_name = %(username)s OR org_id = %(org_id)s",
        RELAY_API_OWNED_INFRA_ENVS_QUERY=f"SELECT '{OWN_ENV}' WHERE %(org_id)s = 'acme'",
    )


@pytest.fixture
def stored(store: Store) -> None:
    for event in STORED:
        store(**event)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("face", [EVENTS, EXISTING])
def test_a_token_finds_its_own_and_anything_else_is_404_or_empty(
    owning: Callable[..., TestClient], face: str
) -> None:
    filters = FILTERS + (OWN_FILTERS if face == EVENTS else EXISTING_FILTERS)
    for kind, (query, found, allowed) in product(TOKENS, filters):
        answer = owning(**TOKENS[kind]).get(face, params=dict(query))
        if kind not in allowed:
            assert answer.status_code == 404, (kind, query)
            continue
        assert answer.status_code == 200, (kind, query, answer.text)
        expected = found & VISIBLE[kind]
        if face == EXISTING and "categories" not in query:
            expected = expected - {"other env"}
        assert {event["message"] for event in answer.json()} == expected, (kind, query)
        if "cursor" not in query:
            assert answer.headers["Event-Count"] == str(len(expected)), (kind, query)


@pytest.mark.usefixtures("stored")
def test_one_event_is_seen_by_those_whose_it_is(owning: Callable[..., TestClient]) -> None:
    for kind, event in product(TOKENS, owning().get(EVENTS).json()):
        answer = owning(**TOKENS[kind]).get(f"{EVENTS}/{event['event_id']}")
        seen = event["message"] in VISIBLE[kind]
        assert answer.status_code == (200 if seen else 404), (kind, event)


@pytest.mark.usefixtures("stored")
def test_an_offset_leads_to_nobody_elses(connect: Callable[..., TestClient]) -> None:
    client = connect(**TOKENS["cluster"])
    assert client.get(EVENTS, params={"offset": 1}).json()[0]["message"] == "own host"
    assert client.get(EVENTS, params={"offset": 2}).json() == []


@pytest.mark.parametrize("face", [EVENTS, EXISTING])
def test_without_a_valid_token_every_filter_is_401(admin: TestClient, face: str) -> None:
    expired = admin.headers["Authorization"][:-3] + "AAA"
    for authorization in ("", "Basic YTpi", expired):
        headers = {"Authorization": authorization}
        for query, _, _ in FILTERS + OWN_FILTERS + EXISTING_FILTERS:
            answer = admin.get(face, params=dict(query), headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.usefixtures("stored")
def test_a_token_adds_events_to_its_own_alone(owning: Callable[..., TestClient]) -> None:
    event = {"name": "noted", "severity": "info", "message": "it happened"}
    for face, (kind, owners, status) in product((EVENTS, EXISTING), ADDED):
        body = event | {owner: str(value) for owner, value in owners.items()}
        answer = owning(**TOKENS[kind]).post(face, json=body)
        assert answer.status_code == status, (face, kind, owners)


def test_an_expired_token_is_401(connect: Callable[..., TestClient]) -> None:
    answer = connect(role="admin", exp=time.time() - 3600).get(EVENTS)
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]
