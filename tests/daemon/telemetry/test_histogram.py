import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from relay.daemon.telemetry.histogram import BatchHistogram

BUCKETS = (0.1, 1.0, 10.0)
VALUES = st.lists(st.lists(st.floats(0, 100) | st.sampled_from(BUCKETS)))


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


@given(VALUES)
def test_it_counts_as_the_library_does(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batched = BatchHistogram("seconds", "Some.", BUCKETS, ours)
    single = Histogram("seconds", "Some.", buckets=BUCKETS, registry=theirs)
    for batch in batches:
        batched.observe_many(batch)
        for value in batch:
            single.observe(value)
    found, expected = samples(ours), samples(theirs)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[name], expected[name], abs_tol=1e-9) for name in expected)


def test_one_value_is_a_batch_of_one() -> None:
    registry = CollectorRegistry()
    BatchHistogram("seconds", "Some.", BUCKETS, registry).observe(0.5)
    assert samples(registry)["seconds_bucket", "1.0"] == 1
