"""The key rule: which field of an event or a row is the key of its message."""

from collections.abc import Iterable, Mapping
from typing import Final

OWNERS: Final = ("cluster_id", "infra_env_id", "host_id")
"""Ids that an event or a row can belong to, the widest first: the first that is set is the key."""


def first_set(values: Mapping[str, object], names: Iterable[str]) -> str | None:
    """Return the first of the fields *names* that has a value, as text; None where none has."""
    found = (values.get(name) for name in names)
    return next((str(value) for value in found if value is not None), None)
