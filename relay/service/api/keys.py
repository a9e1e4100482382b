"""The public keys that tokens are verified with; they may change while we run."""

import json
import logging
import time
import urllib.request
from pathlib import Path
from threading import Lock
from typing import Final

import jwt

from relay.errors import RelayError

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Asymmetric ones alone: with a shared secret, whoever verifies could also sign."""

FETCH_SECONDS: Final = 5.0
MAX_BYTES: Final = 1 << 20
# An unknown key is looked for at once, but nobody can make us ask more often than this.
PAUSE_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class KeysUnavailableError(RelayError):
    """The key set cannot be read, or holds no key that can be used."""


class KeySet:
    """A JWKS from a file or URL, read again when it is old or a key is unknown. Thread-safe."""

    def __init__(self, source: str, refresh_seconds: float) -> None:
        self._source = source
        self._refresh_seconds = refresh_seconds
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._lock = Lock()
        self._tried_at = self._read_at = float("-inf")

    @property
    def is_file(self) -> bool:
        """Whether it needs nothing but this machine."""
        return "://" not in self._source

    def key(self, kid: str | None) -> jwt.PyJWK | None:
        """Return the key *kid*; None names the only one. None where there is no such key.

        Raises:
            KeysUnavailableError: no key set could be read so far.
        """
        if time.monotonic() - self._read_at > self._refresh_seconds:
            self._refresh()
        found = self._find(kid)
        if found is None:
            self._refresh()
            found = self._find(kid)
        if not self._keys:
            raise KeysUnavailableError("no key set could be read so far")
        return found

    def load(self) -> None:
        """Read the key set.

        Raises:
            KeysUnavailableError: it cannot be read, or holds no usable key; the old one stays.
        """
        try:
            keys = jwt.PyJWKSet.from_dict(json.loads(self._text())).keys
        except (OSError, ValueError, AttributeError, TypeError, jwt.PyJWTError) as error:
            raise KeysUnavailableError(_reason(error)) from None
        usable = {key.key_id: key for key in keys if key.algorithm_name in ALGORITHMS}
        if not usable:
            raise KeysUnavailableError("it holds no public key (RSA, EC or Ed25519)")
        self._keys = usable
        self._read_at = time.monotonic()

    def _find(self, kid: str | None) -> jwt.PyJWK | None:
        keys = self._keys
        if kid is None and len(keys) == 1:
            return next(iter(keys.values()))
        return keys.get(kid)

    def _refresh(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._tried_at < PAUSE_SECONDS:
                return
            self._tried_at = now
            try:
                self.load()
            except KeysUnavailableError as error:
                logger.warning("the key set RELAY_API_JWKS was not read: %s", error)

    def _text(self) -> bytes:
        if self.is_file:
            return Path(self._source).read_bytes()
        with urllib.request.urlopen(self._source, timeout=FETCH_SECONDS) as answer:  # noqa: S310
            return bytes(answer.read(MAX_BYTES))


def _reason(error: Exception) -> str:
    match error:
        case OSError():
            return str(error.strerror or getattr(error, "reason", "") or error)
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "it is not JSON"
        case _:
            return "it is no JSON web key set with usable keys"
