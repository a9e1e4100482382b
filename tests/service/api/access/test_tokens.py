import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.service.api.access.caller import Caller, Owned
from relay.service.api.access.claims import identity
from relay.service.api.access.key_set import KeySet
from relay.service.api.access.tokens import Tokens
from relay.settings import ApiSettings
from tests.service.api.access.conftest import caller, refused
from tests.support.authority import AUDIENCE, ISSUER, Authority


@pytest.mark.parametrize(
    "claims",
    [
        {"role": "admin"},
        {"role": ["reader", "admin"]},
        {"realm_access": {"roles": ["offline_access", "admin"]}},
    ],
)
def test_an_administrator_sees_and_adds_all(
    tokens: Tokens, authority: Authority, claims: dict[str, object]
) -> None:
    found = caller(tokens, authority.token(**claims))
    assert (found.owned, found.may_add) == (None, True)


@pytest.mark.parametrize(
    "claims", [{"role": "read-only-admin"}, {"realm_access": {"roles": ["read-only-admin"]}}]
)
def test_a_read_only_administrator_sees_all_and_adds_nothing(
    tokens: Tokens, authority: Authority, claims: dict[str, object]
) -> None:
    found = caller(tokens, authority.token(**claims))
    assert (found.owned, found.may_add) == (None, False)


def test_a_claim_whose_name_has_dots_is_found(
    make_tokens: Callable[..., Tokens], authority: Authority
) -> None:
    tokens = make_tokens(role_claims=("https://events.example/roles",))
    token = authority.token(**{"https://events.example/roles": ["admin"]})
    assert caller(tokens, token).owned is None
    assert refused(tokens, authority.token(role="admin")).status_code == 403


def test_a_binding_is_one_id_or_several(tokens: Tokens, authority: Authority) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    found = caller(
        tokens,
        authority.token(
            cluster_id=str(one), infra_env_id=[str(one), str(other)], host_id=str(other)
        ),
    )
    assert found.owned == Owned(frozenset({one}), frozenset({one, other}), frozenset({other}))


@pytest.mark.parametrize("binding", ["cluster_id", "infra_env_id", "host_id"])
@pytest.mark.parametrize("role", ["admin", "read-only-admin"])
def test_a_bound_token_is_never_an_administrators(
    tokens: Tokens, authority: Authority, binding: str, role: str
) -> None:
    bound = uuid.uuid4()
    claims = {binding: str(bound), "role": role, "realm_access": {"roles": [role]}}
    owned = caller(tokens, authority.token(**claims)).owned
    assert owned is not None
    assert frozenset.union(*owned) == {bound}
    assert refused(tokens, authority.token(role="admin", infra_env_id=[""])).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"role": "reader"},
        {"role": "admin", "cluster_id": []},
        {"role": "admin", "infra_env_id": []},
        {"role": {"admin": True}},
        {"realm_access": ["admin"]},
        {"username": "somebody", "org_id": "1"},
    ],
)
def test_a_token_of_nobody_is_403(
    tokens: Tokens, authority: Authority, claims: dict[str, object]
) -> None:
    assert refused(tokens, authority.token(**claims)).status_code == 403


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
        ({"infra_env_id": {}}, "not valid"),
        ({"host_id": [None]}, "not valid"),
    ],
)
def test_claims_that_do_not_fit_are_401_with_the_reason(
    tokens: Tokens, authority: Authority, claims: dict[str, object], reason: str
) -> None:
    problem = refused(tokens, authority.token(role="admin", **claims))
    assert problem.status_code == 401
    assert reason in problem.detail
    assert (problem.headers or {})["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("name", "sign"), [("exp", -1), ("nbf", 1), ("iat", 1)])
def test_clocks_may_differ_by_the_leeway(
    make_tokens: Callable[..., Tokens], authority: Authority, name: str, sign: int
) -> None:
    token = authority.token(role="admin", **{name: time.time() + sign * 1_000})
    assert caller(make_tokens(leeway_seconds=2_000), token).owned is None
    assert refused(make_tokens(leeway_seconds=500), token).status_code == 401


def test_a_refusal_says_how_to_send_a_token_and_why_one_is_refused(
    tokens: Tokens, authority: Authority
) -> None:
    missing = refused(tokens, None)
    assert missing.headers == {"WWW-Authenticate": "Bearer"}
    assert missing.detail == "Send a token: Authorization: Bearer …"
    invalid = refused(tokens, unsigned({"alg": "ES384", "kid": authority.kid}, {}))
    assert invalid.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    assert invalid.detail == "The token is not accepted: its algorithm is not accepted"


def test_without_any_key_set_tokens_are_503(tmp_path: Path, authority: Authority) -> None:
    tokens = Tokens(ApiSettings(issuer=ISSUER, audience=AUDIENCE), KeySet(str(tmp_path), 300))
    assert refused(tokens, authority.token(role="admin")).status_code == 503
    # One that cannot be any issuer's is known to be wrong even then.
    assert refused(tokens, "no token").status_code == 401


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
        assert refused(tokens, token).status_code == 401


def unsigned(header: object, claims: object) -> str:
    """A token whose parts are these, whatever they are."""
    parts = (json.dumps(part).encode() for part in (header, claims))
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES384", "EdDSA", "HS256", "none", "", 5])
def test_a_key_is_used_with_its_own_algorithm_alone(
    tokens: Tokens, authority: Authority, algorithm: object
) -> None:
    token = unsigned({"alg": algorithm, "kid": authority.kid}, {"role": "admin"})
    assert refused(tokens, token).status_code == 401


STRANGE: tuple[object, ...] = (None, [], {}, 5, 1e300, "x" * 9_000, "\x00", "\ud800", [[]] * 500)
TEXTS: tuple[object, ...] = tuple(value for value in STRANGE if isinstance(value, str))
# With these a token is valid; it is bound to nothing, and so may nothing.
VALID: Mapping[str, tuple[object, ...]] = {
    "exp": (1e300,),
    "nbf": (5,),
    "iat": (5,),
    "sub": TEXTS,
    "jti": TEXTS,
    "cluster_id": (None, []),
}


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("name", ["kid", "alg", "crit", "b64", "typ", "jwk", "x5c"])
def test_whatever_a_header_holds_it_is_401(
    tokens: Tokens, authority: Authority, name: str, strange: object
) -> None:
    header = {"alg": "ES256", "kid": authority.kid, name: strange}
    assert refused(tokens, unsigned(header, {})).status_code == 401


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "cluster_id"])
def test_whatever_a_claim_holds_it_is_refused(
    tokens: Tokens, authority: Authority, name: str, strange: object
) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, name: strange}
    token = jwt.api_jws.encode(
        json.dumps(claims).encode(), authority.key, "ES256", headers={"kid": authority.kid}
    )
    expected = 403 if strange in VALID.get(name, ()) else 401
    assert refused(tokens, token).status_code == expected


def test_a_token_that_is_no_object_or_endless_is_401(tokens: Tokens, authority: Authority) -> None:
    header = {"alg": "ES256", "kid": authority.kid}
    deep = base64.urlsafe_b64encode(b"[" * 20_000).rstrip(b"=").decode()
    for token in (unsigned([], {}), unsigned(header, []), f"{deep}.{deep}.", "..", "a.b", "."):
        assert refused(tokens, token).status_code == 401


def test_without_a_subject_two_tokens_are_two_callers(tokens: Tokens, authority: Authority) -> None:
    one, other = (authority.token(role="admin", sub=None, jti=jti) for jti in ("1", "2"))
    assert caller(tokens, one).identity == caller(tokens, one).identity
    assert caller(tokens, one).identity != caller(tokens, other).identity


def test_no_subject_can_pretend_to_be_another_caller(tokens: Tokens, authority: Authority) -> None:
    cluster = str(uuid.uuid4())
    bound = caller(tokens, authority.token(sub="a", cluster_id=cluster)).identity
    for sub in (f"a|{cluster}", json.dumps(["a", {"cluster_id": [cluster]}])):
        assert caller(tokens, authority.token(role="admin", sub=sub)).identity != bound


def test_a_key_of_rsa_that_names_no_algorithm_serves_its_family(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "rsa"}
    path = tmp_path / "keys.json"
    others = [jwk | {"kid": "enc", "use": "enc"}, jwk | {"kid": "named", "alg": "RS256"}]
    path.write_text(json.dumps({"keys": [jwk, *others]}))
    keys = KeySet(str(path), 300)
    keys.load()
    tokens = Tokens(ApiSettings(jwks=str(path), issuer=ISSUER, audience=AUDIENCE), keys)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": time.time() + 60, "role": "admin"}
    for algorithm in ("RS256", "RS512", "PS256"):
        token = jwt.encode(claims, key, algorithm, headers={"kid": "rsa"})
        assert caller(tokens, token).owned is None
    for algorithm, kid in (("RS256", "enc"), ("PS256", "named"), ("RS512", "named")):
        token = jwt.encode(claims, key, algorithm, headers={"kid": kid})
        assert refused(tokens, token).status_code == 401
    token = jwt.encode(claims, key, "RS256", headers={"kid": "named"})
    assert caller(tokens, token).owned is None


def test_what_a_caller_owns_comes_from_a_callback(
    make_tokens: Callable[..., Tokens], authority: Authority
) -> None:
    mine, asked = uuid.uuid4(), []

    def ownership(claims: Mapping[str, Any]) -> Owned:
        asked.append(claims["username"])
        return Owned(frozenset({mine}))

    tokens = make_tokens(ownership)
    found = caller(tokens, authority.token(sub="s", username="ada"))
    assert found == Caller(identity({"iss": ISSUER, "sub": "s"}, ""), Owned(frozenset({mine})))
    # A binding or a role says it already.
    assert caller(tokens, authority.token(username="ada", role="admin")).owned is None
    bound = caller(tokens, authority.token(username="ada", host_id=str(mine))).owned
    assert bound == Owned(hosts=frozenset({mine}))
    assert asked == ["ada"]
