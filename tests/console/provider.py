"""An OpenID provider on loopback: signs in whomever the test names, and checks what it is sent."""

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.eventually import eventually
from tests.support.ports import free_port

CLIENT = "console"
SECRET = "the secret of the client"
# One for all tests of a worker: to make one takes a tenth of a second.
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """Claims of the next person are in *claims*; *spoil* changes the ID token's claims."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims: dict[str, Any] = {"sub": "42", "preferred_username": "ada", "groups": ["ops"]}
        self.spoiled: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.requests: list[str] = []
        self._codes: dict[str, tuple[str, str]] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.metadata),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/jwks", self.jwks),
                Route("/userinfo", self.userinfo),
            ]
        )

    async def metadata(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/jwks",
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
        )

    async def authorize(self, request: Request) -> Response:
        given = request.query_params
        assert given["response_type"] == "code"
        assert given["client_id"] == CLIENT
        assert given["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self._codes[code] = (given["code_challenge"], given["nonce"])
        answer = urlencode({"code": code, "state": given["state"]})
        return RedirectResponse(f"{given['redirect_uri']}?{answer}")

    async def token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode()))
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".replace(" ", "+").encode()).decode()
        basic = request.headers.get("authorization", "")
        self.requests.append(basic)
        challenge, nonce = self._codes.pop(given["code"], ("", ""))
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        verified = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
        if not verified or basic not in {f"Basic {expected}", self._plain()}:
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {
            "iss": self.issuer, "aud": CLIENT, "exp": time.time() + 60, "iat": time.time(),
            "nonce": nonce, **self.claims, **self.spoiled,
        }  # fmt: skip
        keys: dict[str, Any] = {"RS256": KEY, "HS256": SECRET * 2, "none": None}
        signed = jwt.encode(claims, keys[self.algorithm], self.algorithm, headers={"kid": "one"})
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": signed})

    async def jwks(self, _: Request) -> Response:
        public = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]})

    async def userinfo(self, _: Request) -> Response:
        return JSONResponse(self.claims)

    def _plain(self) -> str:
        return "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that answers, until the block ends."""
    port = free_port()
    made = Provider(port)
    server = uvicorn.Server(
        uvicorn.Config(made.app(), host="127.0.0.1", port=port, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join()
