"""Verification of tokens: those of the issuer, and those that are signed locally."""

import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.types import Options
from starlette.concurrency import run_in_threadpool

from relay.errors import ConfigurationError
from relay.service.api.access.caller import Caller, Owned
from relay.service.api.access.claims import Claims, bindings, identity, is_bound, roles
from relay.service.api.access.key_set import KeySet
from relay.service.api.access.keys import Key, KeysUnavailableError
from relay.service.api.access.ownership import Ownership
from relay.service.api.core.refusal import Refusal
from relay.settings import ApiSettings

LOCAL_ALGORITHM: Final = "ES256"

_WORDS: Final[tuple[tuple[type[jwt.PyJWTError], str], ...]] = (
    (jwt.ExpiredSignatureError, "it has expired"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidIssuerError, "its issuer is not trusted"),
    (jwt.InvalidAudienceError, "it is meant for another audience"),
    (jwt.MissingRequiredClaimError, "it needs the claims exp, iss and aud"),
    (jwt.InvalidAlgorithmError, "its algorithm is not accepted"),
)

logger = logging.getLogger(__name__)


class Tokens:
    """Verifies tokens. *keys* are the issuer's; *ownership* tells what an unbound caller owns."""

    def __init__(
        self, settings: ApiSettings, keys: KeySet | None, ownership: Ownership | None = None
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._ownership = ownership
        self._local = local_key(settings)

    async def caller(self, token: str | None) -> Caller:
        """Return the caller whose *token* it is.

        Raises:
            Refusal: 401, there is no valid token; 403, it belongs to nobody who may use this; 503,
                there are no keys to verify it with.
        """
        if not token:
            raise _unauthorized("send a token: Authorization: Bearer …", error="")
        try:
            claims, is_local = await self._verified(token)
            owned = bindings(claims)
        except KeysUnavailableError:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Tokens cannot be verified at the moment: try again later",
            ) from None
        except Exception as error:  # noqa: BLE001 - a stranger wrote it: no parser's fault is ours
            said = next((words for kind, words in _WORDS if isinstance(error, kind)), None)
            logger.debug("a token was refused: %s", type(error).__name__)
            raise _unauthorized(f"the token is not accepted: {said or 'it is not valid'}") from None
        name = identity(claims, hashlib.sha256(token.encode()).hexdigest())
        if is_local or is_bound(claims):
            return _bound(name, owned)
        return await self._unbound(name, claims)

    async def _verified(self, token: str) -> tuple[Claims, bool]:
        """Return the claims, and whether the token is signed locally."""
        header = jwt.get_unverified_header(token)
        if self._local and header.get("alg") == LOCAL_ALGORITHM:
            with suppress(jwt.InvalidSignatureError):
                return _decoded(token, [self._local], {"verify_aud": False}), True
        if self._keys is None:
            raise jwt.InvalidKeyError
        keys = await self._keys.find(header.get("kid"))
        return _decoded(token, keys, {"require": ["exp", "iss", "aud"]}, self._settings), False

    async def _unbound(self, name: str, claims: Claims) -> Caller:
        """Return the caller of a token that says who it is, not what it is for."""
        held = roles(claims, self._settings.role_claims)
        if self._settings.admin_role in held:
            return Caller(name, owned=None)
        if self._settings.read_only_admin_role in held:
            return Caller(name, owned=None, may_add=False)
        if self._ownership is None:
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "The token is valid, but belongs to no administrator, cluster, infra-env or host",
            )
        return Caller(name, await run_in_threadpool(self._ownership, claims))


def local_key(settings: ApiSettings) -> Key | None:
    """Return the key of tokens that are signed locally; None where they are not accepted.

    Raises:
        ConfigurationError: it is no public key for ES256.
    """
    if not (settings.local_tokens and settings.local_public_key):
        return None
    try:
        key = load_pem_public_key(settings.local_public_key.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise ConfigurationError(
            ["RELAY_API_LOCAL_PUBLIC_KEY must be a PEM public key on the curve P-256 (ES256)"]
        )
    return Key(None, key, (LOCAL_ALGORITHM,))


def _decoded(
    token: str, keys: Iterable[Key], options: Options, settings: ApiSettings | None = None
) -> Claims:
    for key in keys:
        with suppress(jwt.InvalidSignatureError):
            claims: Claims = jwt.decode(
                token,
                key.key,
                algorithms=key.algorithms,
                options=options,
                issuer=settings.issuer if settings else None,
                audience=settings.audience if settings else None,
                leeway=settings.leeway_seconds if settings else 0,
            )
            return claims
    raise jwt.InvalidSignatureError


def _bound(name: str, owned: Owned) -> Caller:
    if not any(owned):
        raise Refusal(HTTPStatus.FORBIDDEN, "The token is valid, but is bound to nothing")
    return Caller(name, owned)


def _unauthorized(detail: str, error: str = ' error="invalid_token"') -> Refusal:
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        detail[0].upper() + detail[1:],
        headers={"WWW-Authenticate": f"Bearer{error}"},
    )
