"""The public keys that tokens are verified with; they may change while the process runs."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jwt

from relay.errors import RelayError

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Asymmetric ones alone: with a shared secret, whoever verifies could also sign."""

_OF_RSA: Final = tuple(name for name in ALGORITHMS if name[1] == "S" and name[0] in "RP")


class KeysUnavailableError(RelayError):
    """The key set cannot be read, or holds no key that can be used."""


class Key(NamedTuple):
    """A public key, and the algorithms that it may be used with."""

    kid: str | None
    key: Any
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one reading of a key set."""

    keys: tuple[Key, ...]

    def named(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys that a token may be signed with; *kid* of None leaves open which."""
        if kid is None and len(self.keys) == 1:
            return self.keys
        return tuple(key for key in self.keys if key.kid == kid)


def parsed(text: bytes) -> Keys:
    """Return the usable keys of a JSON web key set.

    Raises:
        KeysUnavailableError: it is none, or holds no usable key.
    """
    try:
        listed = jwt.PyJWKSet.from_dict(json.loads(text)).keys
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise KeysUnavailableError("it is not JSON") from None
    except (ValueError, AttributeError, TypeError, KeyError, jwt.PyJWTError):
        raise KeysUnavailableError("it is no JSON web key set with usable keys") from None
    usable = tuple(_usable(listed))
    if not usable:
        raise KeysUnavailableError("it holds no public key (RSA, EC or Ed25519) for signatures")
    return Keys(usable)


def _usable(listed: Iterable[jwt.PyJWK]) -> Iterable[Key]:
    for key in listed:
        if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}:
            yield Key(key.key_id, key.key, _algorithms(key))


def _algorithms(key: jwt.PyJWK) -> tuple[str, ...]:
    """Return what *key* says; one of RSA that says nothing serves the whole family."""
    named = key._jwk_data.get("alg")  # noqa: SLF001 - PyJWT guesses RS256 where there is none
    return _OF_RSA if key.key_type == "RSA" and not named else (key.algorithm_name,)
