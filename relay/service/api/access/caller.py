from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID


class Owned(NamedTuple):
    """Clusters, infra-envs and hosts whose events a caller may see."""

    clusters: frozenset[UUID] = frozenset()
    infra_envs: frozenset[UUID] = frozenset()
    hosts: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Sender of a request.

    *identity* tells callers apart: idempotency keys belong to it. *owned* of None is everything.
    """

    identity: str
    owned: Owned | None
    may_add: bool = True

    def owns(
        self,
        clusters: Iterable[UUID | None] = (),
        infra_envs: Iterable[UUID | None] = (),
        hosts: Iterable[UUID | None] = (),
    ) -> bool:
        """Tell whether everything that is named, None aside, belongs to the caller."""
        if self.owned is None:
            return True
        named = (clusters, infra_envs, hosts)
        return all(
            owned.issuperset(identity for identity in ids if identity is not None)
            for owned, ids in zip(self.owned, named, strict=True)
        )


EVERYBODY: Final = Caller("", owned=None)
"""The caller while authentication is off."""
