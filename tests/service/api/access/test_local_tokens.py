import time
import uuid
from collections.abc import Callable, Mapping

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from relay.errors import ConfigurationError
from relay.service.api.access.caller import Owned
from relay.service.api.access.tokens import Tokens
from relay.settings import ApiSettings
from tests.service.api.access.conftest import caller, refused
from tests.support.authority import Authority


class Local:
    """A service that signs tokens with its own key."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = self.key.public_key()
        self.pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def token(self, headers: Mapping[str, str] | None = None, **claims: object) -> str:
        return jwt.encode(claims, self.key, "ES256", headers=dict(headers or {}))


@pytest.mark.parametrize("binding", ["cluster_id", "infra_env_id", "host_id"])
def test_a_local_token_is_accepted_where_a_setting_says_so(
    make_tokens: Callable[..., Tokens], binding: str
) -> None:
    local, bound = Local(), uuid.uuid4()
    token = local.token(None, **{binding: str(bound)})
    assert refused(make_tokens(local_public_key=local.pem), token).status_code == 401
    owned = caller(make_tokens(local_tokens=True, local_public_key=local.pem), token).owned
    assert owned is not None
    assert frozenset.union(*owned) == {bound}


def test_a_local_token_is_for_any_audience_and_its_expiry_has_no_leeway() -> None:
    local, bound = Local(), str(uuid.uuid4())
    settings = ApiSettings(local_tokens=True, local_public_key=local.pem, leeway_seconds=2_000)
    tokens = Tokens(settings, None)
    found = caller(tokens, local.token(cluster_id=bound, aud="others", iss="somebody", sub="s"))
    assert found.may_add
    assert found.owned == Owned(clusters=frozenset({uuid.UUID(bound)}))
    expired = local.token(cluster_id=bound, exp=time.time() - 1_000)
    assert "expired" in refused(tokens, expired).detail
    # No issuer is known here.
    assert refused(tokens, Authority().token(role="admin")).status_code == 401


def test_a_local_token_gives_no_role_and_cannot_be_forged(
    make_tokens: Callable[..., Tokens], authority: Authority
) -> None:
    local = Local()
    tokens = make_tokens(local_tokens=True, local_public_key=local.pem)
    assert refused(tokens, local.token(role="admin")).status_code == 403
    assert refused(tokens, local.token(cluster_id="")).status_code == 401
    assert refused(tokens, local.token(cluster_id=str(uuid.uuid4()), exp=1)).status_code == 401
    assert refused(tokens, Local().token(cluster_id=str(uuid.uuid4()))).status_code == 401
    kid = {"kid": authority.kid}
    assert refused(tokens, Local().token(kid, role="admin")).status_code == 401
    assert caller(tokens, authority.token(role="admin")).owned is None


def test_a_local_key_that_does_not_fit_is_refused_at_the_start() -> None:
    others = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
        ec.generate_private_key(ec.SECP384R1()).public_key(),
    )
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for text in ("no key", *(other.public_bytes(*form).decode() for other in others)):
        with pytest.raises(ConfigurationError, match="LOCAL_PUBLIC_KEY"):
            Tokens(ApiSettings(local_tokens=True, local_public_key=text), None)
