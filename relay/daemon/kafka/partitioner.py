"""From key to partition, the same for every relay and every attempt.

Computed here and not by librdkafka, so that the partition is known before a row is sent: rows of
a partition on hold are left alone, and a topic taken over from another producer keeps its places.
``outbox_partition`` in schema.sql computes the same.
"""

from functools import lru_cache
from typing import Final

from relay.settings.preset import Partitioner

_MASK: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


@lru_cache(maxsize=65_536)
def partition(partitioner: Partitioner, key: str, partitions: int) -> int:
    """Return the partition of *key* among *partitions*.

    ``murmur2`` is the default of Kafka's Java producer; ``fnv1a`` is for topics whose former
    producer used ``(fnv1a32(key) & 0x7fffffff) % partitions``.
    """
    digest = murmur2 if partitioner == "murmur2" else fnv1a
    return (digest(key.encode()) & _POSITIVE) % partitions


def fnv1a(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash."""
    h = 2166136261
    for byte in data:
        h = ((h ^ byte) * 16777619) & _MASK
    return h


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash with the seed of Kafka's Java producer."""
    m = 0x5BD1E995
    length = len(data)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(data[i : i + 4], "little") * m) & _MASK
        k = ((k ^ (k >> 24)) * m) & _MASK
        h = ((h * m) & _MASK) ^ k
    if rest := data[whole:]:
        h = ((h ^ int.from_bytes(rest, "little")) * m) & _MASK
    h = ((h ^ (h >> 13)) * m) & _MASK
    return h ^ (h >> 15)
