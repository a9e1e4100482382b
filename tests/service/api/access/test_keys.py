import json
from typing import Any

import pytest

from relay.service.api.access.keys import ALGORITHMS, Keys, KeysUnavailableError, parsed
from tests.support.authority import Authority

RSA: dict[str, Any] = {"kty": "RSA", "n": "u" * 342, "e": "AQAB", "kid": "rsa"}


def key_set(*keys: dict[str, Any]) -> Keys:
    return parsed(json.dumps({"keys": keys}).encode())


def test_a_token_without_a_key_id_takes_the_only_key() -> None:
    one, other = Authority().jwk(), Authority().jwk()
    alone, both = key_set(one), key_set(one, other)
    assert alone.named(None) == alone.keys
    assert both.named(None) == ()
    assert alone.named("unknown") == ()
    assert both.named(other["kid"]) == both.keys[1:]


def test_a_key_has_the_algorithms_that_it_says() -> None:
    assert key_set(Authority().jwk()).keys[0].algorithms == ("ES256",)
    assert key_set(RSA | {"alg": "PS384"}).keys[0].algorithms == ("PS384",)
    family = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    assert set(key_set(RSA).keys[0].algorithms) == family
    assert not any(name.startswith("HS") or name == "none" for name in ALGORITHMS)


def test_keys_for_other_purposes_are_left_out() -> None:
    kept, secret = Authority().jwk(), {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}
    nameless = {name: text for name, text in Authority().jwk().items() if name != "use"}
    found = key_set(secret, RSA | {"use": "enc"}, kept, nameless)
    assert [key.kid for key in found.keys] == [kept["kid"], nameless["kid"]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"no", "it is not JSON"),
        (b'{"keys": "\xff"}', "it is not JSON"),
        (b'{"keys": 5}', "no JSON web key set"),
        (b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "no public key"),
    ],
)
def test_a_text_without_keys_is_refused_with_the_reason(text: bytes, reason: str) -> None:
    with pytest.raises(KeysUnavailableError, match=reason):
        parsed(text)
