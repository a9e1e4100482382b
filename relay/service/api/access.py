"""Who asks, and what they may see."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import jwt

from relay.service.api.keys import ALGORITHMS, KeySet, KeysUnavailableError
from relay.service.api.problems import Problem
from relay.settings import ApiSettings

CLUSTER_CLAIM: Final = "cluster_id"
INFRA_ENV_CLAIM: Final = "infra_env_id"

_WORDS: Final[tuple[tuple[type[jwt.PyJWTError], str], ...]] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidIssuerError, "its issuer is not trusted"),
    (jwt.InvalidAudienceError, "it is meant for another audience"),
    (jwt.MissingRequiredClaimError, "it needs the claims exp, iss and aud"),
    (jwt.InvalidAlgorithmError, "its algorithm is not accepted"),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may see all, or what belongs to some clusters and infra-envs."""

    name: str
    is_admin: bool
    clusters: frozenset[UUID] = frozenset()
    infra_envs: frozenset[UUID] = frozenset()

    def owns(self, clusters: Iterable[UUID], infra_envs: Iterable[UUID]) -> bool:
        """Tell whether everything that is named is theirs."""
        return self.is_admin or (
            self.clusters.issuperset(clusters) and self.infra_envs.issuperset(infra_envs)
        )


EVERYBODY: Final = Caller("", is_admin=True)
"""Who asks while authentication is switched off."""


class Tokens:
    """Verifies bearer tokens."""

    def __init__(self, settings: ApiSettings, keys: KeySet) -> None:
        self._settings = settings
        self._keys = keys

    def caller(self, token: str | None) -> Caller:
        """Return whose *token* it is.

        Raises:
            Problem: 401, there is no valid token; 503, there are no keys to verify it with.
        """
        if not token:
            raise _unauthorized("send a token: Authorization: Bearer …", error="")
        try:
            return self._caller(self._claims(token))
        except KeysUnavailableError:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "Tokens cannot be verified at the moment"
            ) from None
        except jwt.PyJWTError as error:
            said = next((words for kind, words in _WORDS if isinstance(error, kind)), None)
            raise _unauthorized(f"the token is not accepted: {said or 'it is not valid'}") from None

    def _claims(self, token: str) -> Mapping[str, Any]:
        key = self._keys.key(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise jwt.InvalidKeyError
        return jwt.decode(
            token,
            key.key,
            algorithms=ALGORITHMS,
            issuer=self._settings.issuer,
            audience=self._settings.audience,
            leeway=self._settings.leeway_seconds,
            options={"require": ["exp", "iss", "aud"]},
        )

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        clusters = _ids(claims.get(CLUSTER_CLAIM))
        infra_envs = _ids(claims.get(INFRA_ENV_CLAIM))
        held = _values(claims.get(self._settings.admin_claim))
        # A binding narrows, an empty one too: a bound token is never an administrator's.
        bound = CLUSTER_CLAIM in claims or INFRA_ENV_CLAIM in claims
        is_admin = not bound and self._settings.admin_value in held
        if not (is_admin or clusters or infra_envs):
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "The token is valid, but belongs to no administrator, cluster or infra-env",
            )
        binding = ",".join(sorted(map(str, clusters | infra_envs)))
        return Caller(f"{claims.get('sub', '')}|{binding}", is_admin, clusters, infra_envs)


def _values(claim: object) -> list[object]:
    return list(claim) if isinstance(claim, list) else [claim]


def _ids(claim: object) -> frozenset[UUID]:
    if claim is None:
        return frozenset()
    try:
        return frozenset(UUID(str(value)) for value in _values(claim))
    except ValueError:
        raise jwt.InvalidTokenError from None


def _unauthorized(detail: str, error: str = ' error="invalid_token"') -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        detail[0].upper() + detail[1:],
        {"WWW-Authenticate": f"Bearer{error}"},
    )
