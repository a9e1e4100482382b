"""Presets: the names of the formats. relay.formats has what follows from each."""

from enum import StrEnum
from typing import Literal

Partitioner = Literal["murmur2", "fnv1a"]


class Preset(StrEnum):
    """Format of the messages on the stream."""

    STANDARD = "standard"
    EXISTING_CONSUMERS = "existing-consumers"
