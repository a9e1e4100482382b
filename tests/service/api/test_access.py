import time
import uuid
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.service.api.access import Tokens
from relay.service.api.keys import KeySet
from relay.service.api.problems import Problem
from relay.settings import ApiSettings
from tests.support.authority import AUDIENCE, ISSUER, Authority, write_key_set


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def tokens(authority: Authority, tmp_path: Path) -> Tokens:
    path = write_key_set(tmp_path / "keys.json", authority)
    settings = ApiSettings(jwks=str(path), issuer=ISSUER, audience=AUDIENCE)
    return Tokens(settings, KeySet(str(path), 300))


def refused(tokens: Tokens, token: str | None) -> Problem:
    with pytest.raises(Problem) as caught:
        tokens.caller(token)
    return caught.value


def test_an_administrator_sees_all(tokens: Tokens, authority: Authority) -> None:
    for role in ("admin", ["reader", "admin"]):
        assert tokens.caller(authority.token(role=role)).is_admin


def test_a_binding_is_one_id_or_several(tokens: Tokens, authority: Authority) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    caller = tokens.caller(
        authority.token(cluster_id=str(one), infra_env_id=[str(one), str(other)])
    )
    assert not caller.is_admin
    assert caller.clusters == {one}
    assert caller.infra_envs == {one, other}


def test_a_bound_token_is_never_an_administrators(tokens: Tokens, authority: Authority) -> None:
    assert not tokens.caller(authority.token(role="admin", cluster_id=str(uuid.uuid4()))).is_admin
    assert refused(tokens, authority.token(role="admin", infra_env_id=[""])).status == 401


@pytest.mark.parametrize("claims", [{}, {"role": "reader"}, {"role": "admin", "cluster_id": []}])
def test_a_token_of_nobody_is_403(
    tokens: Tokens, authority: Authority, claims: dict[str, object]
) -> None:
    assert refused(tokens, authority.token(**claims)).status == 403


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": time.time() - 3600}, "expired"),
        ({"exp": None}, "claims"),
        ({"nbf": time.time() + 3600}, "not valid yet"),
        ({"iss": "https://elsewhere.example"}, "issuer"),
        ({"iss": None}, "claims"),
        ({"aud": "others"}, "audience"),
        ({"aud": None}, "claims"),
        ({"cluster_id": "everything"}, "not valid"),
    ],
)
def test_claims_that_do_not_fit_are_401_with_the_reason(
    tokens: Tokens, authority: Authority, claims: dict[str, object], reason: str
) -> None:
    problem = refused(tokens, authority.token(role="admin", **claims))
    assert problem.status == 401
    assert reason in problem.detail
    assert (problem.headers or {})["WWW-Authenticate"].startswith("Bearer")


def test_tokens_that_others_made_are_401(tokens: Tokens, authority: Authority) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "role": "admin"}
    header = {"kid": authority.kid}
    stranger = Authority()
    impostor = Authority()
    impostor.kid = authority.kid
    public = authority.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for token in (
        None,
        "",
        "no token",
        stranger.token(role="admin"),
        impostor.token(role="admin"),
        authority.token(role="admin")[:-4] + "AAAA",
        jwt.encode(claims, "", algorithm="none", headers=header),
        # Whoever knows the public key could sign with it, were a shared secret accepted.
        jwt.encode(claims, public, algorithm="HS256", headers=header),
    ):
        assert refused(tokens, token).status == 401
