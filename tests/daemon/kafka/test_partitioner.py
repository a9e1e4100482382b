"""Where a key goes. The values of murmur2 are those of Kafka's own tests of its Java producer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.daemon.kafka.partitioner import fnv1a, murmur2, partition


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_the_java_producer(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)],
)
def test_fnv1a_has_its_published_values(data: bytes, expected: int) -> None:
    assert fnv1a(data) == expected


@given(st.text(), st.integers(1, 500))
def test_every_key_has_a_partition(key: str, partitions: int) -> None:
    assert 0 <= partition("murmur2", key, partitions) < partitions
    assert partition("fnv1a", key, partitions) == (fnv1a(key.encode()) & 0x7FFFFFFF) % partitions
