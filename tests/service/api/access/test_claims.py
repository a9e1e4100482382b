import uuid

import jwt
import pytest

from relay.service.api.access.caller import Owned
from relay.service.api.access.claims import BINDINGS, bindings, identity, is_bound, roles

ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.mark.parametrize("name", BINDINGS)
def test_a_binding_narrows_even_if_it_is_empty(name: str) -> None:
    assert is_bound({name: str(ONE), "role": "admin"})
    assert is_bound({name: []})
    assert not is_bound({"role": "admin", "sub": name})


def test_each_binding_goes_to_its_own_kind() -> None:
    assert bindings({}) == Owned()
    assert bindings({"cluster_id": str(ONE)}) == Owned(clusters=frozenset({ONE}))
    assert bindings({"infra_env_id": [str(ONE)]}) == Owned(infra_envs=frozenset({ONE}))
    both = bindings({"host_id": [str(ONE), str(OTHER)]})
    assert both == Owned(hosts=frozenset({ONE, OTHER}))
    with pytest.raises(jwt.InvalidTokenError):
        bindings({"host_id": [str(ONE), "all"]})


def test_roles_are_those_of_all_paths() -> None:
    claims = {"role": "a", "realm": {"roles": ["b", 5, None, "c"]}, "x.y": "d", "x": {"y": "e"}}
    assert roles(claims, ("role", "realm.roles")) == {"a", "b", "c"}
    assert roles(claims, ("x.y",)) == {"d"}
    assert roles(claims, ("realm", "role.deeper", "realm.roles.deeper", "missing.one")) == set()


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "i", "sub": "s", "username": "u"}, '["i", "s", {}]'),
        ({"iss": "i", "username": "u"}, '["i", "u", {}]'),
        ({"sub": "", "username": ""}, '[null, "digest", {}]'),
        ({"sub": "s", "host_id": []}, '[null, "s", {"host_id": []}]'),
        (
            {"sub": "s", "infra_env_id": ["2", "1"], "cluster_id": "3"},
            '[null, "s", {"cluster_id": ["3"], "infra_env_id": ["1", "2"]}]',
        ),
    ],
)
def test_an_identity_stays_as_it_is_stored(claims: dict[str, object], expected: str) -> None:
    # Idempotency keys are stored with it: another text would make strangers of known callers.
    assert identity(claims, "digest") == expected


def test_an_identity_does_not_depend_on_the_order_of_ids() -> None:
    one, other = ({"sub": "s", "host_id": ids} for ids in (["1", "2"], ["2", "1"]))
    assert identity(one, "") == identity(other, "")
