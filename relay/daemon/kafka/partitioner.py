"""Partition of a key, the same for every relay and every attempt.

Computed here and not by librdkafka, so that the partition is known before a row is sent: rows of
a partition on hold are left alone, and a topic taken over from another producer keeps its
partitions. ``outbox_partition`` in schema.sql computes the same.
"""

from typing import Final

from relay.settings.preset import Partitioner

try:
    # 0.12 µs a key, where the one in Python takes 4.4.
    from confluent_kafka import murmur2
except ImportError:
    from relay.daemon.kafka.murmur2 import murmur2

_MASK: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


def partition(partitioner: Partitioner, key: str, partitions: int) -> int:
    """Return the partition of *key* among *partitions*.

    ``murmur2`` is the default of Kafka's Java producer; ``fnv1a`` is for topics whose former
    producer used ``(fnv1a32(key) & 0x7fffffff) % partitions``.
    """
    data = key.encode()
    if partitioner == "murmur2":
        return murmur2(data, partitions)
    # Not confluent_kafka.fnv1a: it takes the sign bit along, and so finds other partitions.
    return (fnv1a(data) & _POSITIVE) % partitions


def fnv1a(data: bytes) -> int:
    """Return the 32-bit FNV-1a hash."""
    h = 2166136261
    for byte in data:
        h = ((h ^ byte) * 16777619) & _MASK
    return h
