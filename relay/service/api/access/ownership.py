"""Ownership of clusters: a query of the deployment, or a callback of a mounted router."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import psycopg

from relay.service.api.access.caller import Owned
from relay.service.api.database import Connection, Database
from relay.settings import ApiSettings

Ownership = Callable[[Mapping[str, Any]], Owned]
"""Return what the caller with these claims owns. Called in a thread, for each request."""

PARAMETERS: Final = ("sub", "username", "org_id")


def by_query(settings: ApiSettings, database: Database) -> Ownership | None:
    """Return the ownership that the settings say; None where they say nothing."""
    queries = (settings.owned_clusters_query, settings.owned_infra_envs_query)
    if not any(queries):
        return None

    def owned(claims: Mapping[str, Any]) -> Owned:
        parameters = {name: _text_or_none(claims.get(name)) for name in PARAMETERS}
        with database.reading() as connection:
            return Owned(*(_ids(connection, query, parameters) for query in queries))

    return owned


def _ids(
    connection: Connection, query: str | None, parameters: Mapping[str, str | None]
) -> frozenset[UUID]:
    if query is None:
        return frozenset()
    try:
        rows = connection.execute(query.encode(), parameters).fetchall()
        return frozenset(UUID(str(row[0])) for row in rows if row[0] is not None)
    except ValueError:
        raise psycopg.DataError("the ownership query returned what is no UUID") from None


def _text_or_none(claim: object) -> str | None:
    return claim if isinstance(claim, str) else None
