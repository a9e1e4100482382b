import uuid

import pytest

from relay.service.api.access.caller import EVERYBODY, Caller, Owned

OWN, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
KINDS = ("clusters", "infra_envs", "hosts")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asked", KINDS)
def test_a_caller_owns_what_is_bound_and_only_as_that_kind(kind: str, asked: str) -> None:
    caller = Caller("somebody", Owned(**{kind: frozenset({OWN})}))
    assert caller.owns(**{asked: [OWN]}) == (kind == asked)
    assert caller.owns(**{kind: [OWN, None]})
    assert not caller.owns(**{kind: [OWN, OTHER]})
    assert not caller.owns(**{kind: [OWN]} | {other: [OTHER] for other in KINDS if other != kind})


def test_what_names_nothing_belongs_to_everybody() -> None:
    assert Caller("somebody", Owned()).owns()
    assert Caller("somebody", Owned()).owns([None], [None], [None])


def test_without_authentication_everything_is_owned_and_added() -> None:
    assert EVERYBODY.owns([OWN], [OWN], [OWN])
    assert EVERYBODY.may_add
