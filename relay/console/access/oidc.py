"""OpenID Connect: the authorization code flow with PKCE, by way of Authlib.

What is needed between the two requests lies in the signed cookie: a restart loses nothing.
"""

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from relay.console.access.gate import admitted
from relay.console.access.refusals import Refusal, forbidden
from relay.settings import ConsoleSettings
from relay.settings.console import EVERYBODY

CALLBACK: Final = "/callback"
PROVIDER_SECONDS: Final = 10.0
# With a shared secret, or none, whoever verifies could also sign.
ALGORITHMS: Final = frozenset({
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
})  # fmt: skip
_GROUPS_MAX: Final = 50

log = logging.getLogger(__name__)


class Provider:
    """The OpenID provider of the settings."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        issuer = (settings.oidc_issuer or "").rstrip("/")
        secret = settings.oidc_client_secret
        self._issuer = issuer
        self._callback = f"{(settings.url or '').rstrip('/')}{CALLBACK}"
        self._client = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.oidc_scope,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
                "timeout": PROVIDER_SECONDS,
            },
        )

    async def send_away(self, request: Request) -> Response:
        """Return the redirect to the provider; whoever comes back goes on where they were.

        Raises:
            Refusal: 503, the provider does not answer.
        """
        with _Translated():
            await self._metadata()
            request.session["next"] = local_path(request.query_params.get("next", "/"))
            away: Response = await self._client.authorize_redirect(request, self._callback)
            return away

    async def welcome(self, request: Request) -> Response:
        """Take the provider's answer, and remember the person in the cookie.

        Raises:
            Refusal: 403, the provider refuses, its answer is not for us, or the person may not in;
                503, it does not answer.
        """
        with _Translated():
            await self._metadata()
            token = await self._client.authorize_access_token(request)
            claims = token.get("userinfo")
            if claims is None:
                raise forbidden("The provider sent no ID token. Try again.")
            if self._settings.groups_claim.partition(".")[0] not in claims:
                claims = {**await self._client.userinfo(token=token), **claims}
        name, groups = self._name(claims), self._groups(claims)
        admitted(name, groups, self._settings)
        onward = local_path(str(request.session.get("next", "/")))
        # Nothing of before: whoever knew that cookie is not signed in by it.
        request.session.clear()
        until = time.time() + self._settings.session_seconds
        request.session.update({"name": name, "groups": groups, "until": until})
        return RedirectResponse(
            f"{request.scope.get('root_path', '').rstrip('/')}{onward}", HTTPStatus.SEE_OTHER
        )

    async def _metadata(self) -> None:
        """Read the provider's metadata, and take no algorithm that proves nothing."""
        metadata = await self._client.load_server_metadata()
        if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The provider calls itself otherwise than RELAY_CONSOLE_OIDC_ISSUER does.",
            )
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        usable = [each for each in offered if each in ALGORITHMS]
        metadata["id_token_signing_alg_values_supported"] = usable or ["RS256"]

    def _name(self, claims: Mapping[str, Any]) -> str:
        for claim in (self._settings.person_claim, "email", "sub"):
            if isinstance(value := claims.get(claim), str) and value:
                return value
        raise forbidden("The provider's ID token names nobody.")

    def _groups(self, claims: Mapping[str, Any]) -> list[str]:
        """Return the groups that matter here: a cookie is small."""
        found: Any = claims
        for part in self._settings.groups_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        listed = found if isinstance(found, list) else [found]
        settings = self._settings
        known = {*settings.reader_groups, *settings.operator_groups, *settings.payload_groups}
        mine = {each for each in listed if isinstance(each, str)} & (known - {EVERYBODY})
        return sorted(mine)[:_GROUPS_MAX]


class _Translated:
    """Errors of the flow, as refusals that say what to do; none quotes a token."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case httpx2.HTTPError():
                log.warning("the OpenID provider does not answer: %s", type(error).__name__)
                raise Refusal(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "The OpenID provider does not answer. Try again in a moment.",
                ) from None
            case AuthlibBaseError() | JoseError():
                log.warning("somebody could not sign in: %s", error.error)
                raise forbidden(
                    "Signing in failed: the provider's answer is not for this browser, too old, or "
                    "a refusal. Open the console again."
                ) from None


def local_path(path: str) -> str:
    """Return *path* if it leads nowhere but into the console."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside else "/"
