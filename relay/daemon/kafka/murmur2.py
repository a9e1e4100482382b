"""murmur2 in Python, for a confluent-kafka before 2.13, which has none."""

from typing import Final

_MASK: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF
_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995


def murmur2(key: bytes, partition_count: int) -> int:
    """Return the partition of *key*, as Kafka's Java producer and confluent_kafka.murmur2 do."""
    h = _SEED ^ len(key)
    whole = len(key) & ~3
    for i in range(0, whole, 4):
        k = (int.from_bytes(key[i : i + 4], "little") * _FACTOR) & _MASK
        k = ((k ^ (k >> 24)) * _FACTOR) & _MASK
        h = ((h * _FACTOR) & _MASK) ^ k
    if rest := key[whole:]:
        h = ((h ^ int.from_bytes(rest, "little")) * _FACTOR) & _MASK
    h = ((h ^ (h >> 13)) * _FACTOR) & _MASK
    return ((h ^ (h >> 15)) & _POSITIVE) % partition_count
