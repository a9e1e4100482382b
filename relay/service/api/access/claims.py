"""The claims of a verified token: roles, bindings, and who it is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import jwt

from relay.service.api.access.caller import Owned

Claims = Mapping[str, Any]

BINDINGS: Final = ("cluster_id", "infra_env_id", "host_id")
"""In the order of the fields of Owned."""


def is_bound(claims: Claims) -> bool:
    """Tell whether the token is for some objects alone; an empty binding narrows too."""
    return not claims.keys().isdisjoint(BINDINGS)


def bindings(claims: Claims) -> Owned:
    """Return what the token is bound to.

    Raises:
        InvalidTokenError: an id is none.
    """
    return Owned(*(_ids(claims.get(name)) for name in BINDINGS))


def roles(claims: Claims, paths: Sequence[str]) -> set[str]:
    """Return the roles at *paths*: a claim's name, or names that lead into objects by dots."""
    return {role for path in paths for role in _texts(_at(claims, path))}


def identity(claims: Claims, digest: str) -> str:
    """Return a text that no other caller has; *digest* stands for a token that names nobody."""
    named = claims.get("sub") or claims.get("username") or digest
    bound = {name: sorted(map(str, _values(claims[name]))) for name in BINDINGS if name in claims}
    return json.dumps([claims.get("iss"), str(named), bound], sort_keys=True)


def _at(claims: Claims, path: str) -> object:
    found: object = claims
    if path in claims:
        return claims[path]
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> Iterator[str]:
    yield from (each for each in _values(value) if isinstance(each, str))


def _values(claim: object) -> list[object]:
    return list(claim) if isinstance(claim, list) else [claim]


def _ids(claim: object) -> frozenset[UUID]:
    if claim is None:
        return frozenset()
    try:
        return frozenset(UUID(str(value)) for value in _values(claim))
    except ValueError:
        raise jwt.InvalidTokenError from None
