"""Partitions of keys. The hashes of murmur2 are those of Kafka's own tests of its producer."""

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.daemon.kafka import murmur2
from relay.daemon.kafka.partitioner import fnv1a, partition


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
@pytest.mark.parametrize("partitions", [1, 3, 12, 1_000, 2**31 - 1])
def test_murmur2_is_that_of_the_java_producer(key: str, expected: int, partitions: int) -> None:
    assert partition("murmur2", key, partitions) == (expected & 0x7FFFFFFF) % partitions


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)],
)
def test_fnv1a_has_its_published_values(data: bytes, expected: int) -> None:
    assert fnv1a(data) == expected


@pytest.mark.early
@pytest.mark.skipif(
    not hasattr(confluent_kafka, "murmur2"), reason="confluent-kafka has it since 2.13"
)
@given(st.binary(), st.integers(1, 2**31 - 1))
def test_both_forms_of_murmur2_agree(key: bytes, partitions: int) -> None:
    assert murmur2.murmur2(key, partitions) == confluent_kafka.murmur2(key, partitions)


@given(st.text(), st.integers(1, 500))
def test_every_key_has_a_partition(key: str, partitions: int) -> None:
    assert 0 <= partition("murmur2", key, partitions) < partitions
    assert partition("fnv1a", key, partitions) == (fnv1a(key.encode()) & 0x7FFFFFFF) % partitions
