"""An issuer of tokens, as the API's users have one."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://issuer.example"
AUDIENCE = "events"


class Authority:
    """Signs tokens with a key of its own, made at test time."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = uuid.uuid4().hex[:8]

    def jwk(self) -> dict[str, Any]:
        """The public key, as a key set lists it."""
        public: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return public | {"kid": self.kid, "use": "sig", "alg": "ES256"}

    def token(self, **claims: object) -> str:
        """A token that is valid for a minute; a claim of None is left out."""
        usual = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "sub": "somebody"}
        given = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(given, self.key, algorithm="ES256", headers={"kid": self.kid})


def write_key_set(path: Path, *authorities: Authority) -> Path:
    """The file that RELAY_API_JWKS names."""
    path.write_text(json.dumps({"keys": [authority.jwk() for authority in authorities]}))
    return path


def bearer(token: str) -> dict[str, str]:
    """The header that carries *token*."""
    return {"Authorization": f"Bearer {token}"}
