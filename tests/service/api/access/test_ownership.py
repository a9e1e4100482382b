import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import psycopg
import pytest

from relay.service.api.access.caller import Owned
from relay.service.api.access.ownership import by_query
from relay.settings import ApiSettings

OWN = uuid.UUID(int=1)
CLUSTERS, ENVS = "SELECT clusters", "SELECT envs"


class Answering:
    """A database, its connection and its cursor: each query finds these rows."""

    def __init__(self, *rows: object) -> None:
        self.asked: list[tuple[bytes, dict[str, Any]]] = []
        self._rows = [(row,) for row in rows]

    @contextmanager
    def reading(self) -> Iterator["Answering"]:
        yield self

    def execute(self, query: bytes, parameters: dict[str, Any]) -> "Answering":
        self.asked.append((query, parameters))
        return self

    def fetchall(self) -> list[tuple[object]]:
        return self._rows


def owned(database: Answering, claims: Mapping[str, object], **queries: str) -> Owned:
    found = by_query(ApiSettings(**cast("Any", queries)), cast("Any", database))
    assert found is not None
    return found(claims)


def test_without_a_query_nothing_says_what_is_owned() -> None:
    assert by_query(ApiSettings(), cast("Any", Answering())) is None


def test_a_query_gives_its_own_kind_alone() -> None:
    mine = frozenset({OWN})
    rows = Answering(OWN, None, str(OWN))
    assert owned(rows, {}, owned_clusters_query=CLUSTERS) == Owned(clusters=mine)
    assert owned(rows, {}, owned_infra_envs_query=ENVS) == Owned(infra_envs=mine)
    assert [query for query, _ in rows.asked] == [CLUSTERS.encode(), ENVS.encode()]


def test_a_query_is_given_the_claims_that_are_texts() -> None:
    rows = Answering()
    claims = {"sub": "s", "username": "u", "org_id": ["o"], "other": "x"}
    assert owned(rows, claims, owned_clusters_query=CLUSTERS) == Owned()
    owned(rows, {"org_id": "o"}, owned_clusters_query=CLUSTERS)
    assert [parameters for _, parameters in rows.asked] == [
        {"sub": "s", "username": "u", "org_id": None},
        {"sub": None, "username": None, "org_id": "o"},
    ]


def test_a_query_that_finds_no_uuid_is_an_error_of_data_that_shows_none() -> None:
    with pytest.raises(psycopg.DataError, match="no UUID") as caught:
        owned(Answering("secret"), {}, owned_clusters_query=CLUSTERS)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
