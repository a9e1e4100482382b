"""Presets: whom the messages on the stream are for, and what follows from it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

Partitioner = Literal["murmur2", "fnv1a"]

EXISTING_NAMES: Final = frozenset({"Event", "ClusterState", "HostState", "InfraEnv"})
"""What consumers that were there before know. Any other name ends them."""


class Preset(StrEnum):
    """What the messages on the stream look like."""

    STANDARD = "standard"
    EXISTING_CONSUMERS = "existing-consumers"

    @property
    def names(self) -> frozenset[str] | None:
        """The names that may be on the stream; None is any."""
        return None if self is Preset.STANDARD else EXISTING_NAMES

    @property
    def states(self) -> frozenset[str]:
        """The names of states that an older one must not follow: consumers keep the last one."""
        return frozenset() if self is Preset.STANDARD else EXISTING_NAMES - {"Event"}

    def versions(self, components: Mapping[str, object], release_tag: str) -> dict[str, object]:
        """Return what stands under "versions" in the metadata of a row."""
        if self is Preset.STANDARD:
            return dict(components)
        return {"release_tag": release_tag, "versions": dict(components)}

    @property
    def partitioner(self) -> Partitioner:
        """Where keys go: as with Java's producer, or with the one that was there before."""
        return "murmur2" if self is Preset.STANDARD else "fnv1a"
