import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay.service.api.access.caller import Caller
from relay.service.api.access.key_set import KeySet
from relay.service.api.access.ownership import Ownership
from relay.service.api.access.tokens import Tokens
from relay.service.api.core.refusal import Refusal
from relay.settings import ApiSettings
from tests.support.authority import AUDIENCE, ISSUER, Authority, write_key_set


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def make_tokens(authority: Authority, tmp_path: Path) -> Callable[..., Tokens]:
    """Verify tokens as these settings say: `make_tokens(ownership, local_tokens=True)`."""
    path = write_key_set(tmp_path / "keys.json", authority)

    def make(ownership: Ownership | None = None, **given: Any) -> Tokens:  # noqa: ANN401
        keys = KeySet(str(path), 300)
        keys.load()
        settings = ApiSettings(jwks=str(path), issuer=ISSUER, audience=AUDIENCE, **given)
        return Tokens(settings, keys, ownership)

    return make


@pytest.fixture
def tokens(make_tokens: Callable[..., Tokens]) -> Tokens:
    return make_tokens()


def caller(tokens: Tokens, token: str | None) -> Caller:
    return asyncio.run(tokens.caller(token))


def refused(tokens: Tokens, token: str | None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        caller(tokens, token)
    return caught.value
