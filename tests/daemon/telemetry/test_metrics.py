import re

import psutil
import pytest
from prometheus_client import Histogram

from relay.daemon.rows import Reason
from relay.daemon.telemetry.metrics import END_TO_END_SECONDS, NAMESPACE, Metrics
from relay.daemon.telemetry.process import ProcessInstrumentation
from relay.daemon.telemetry.topic_labels import TOPIC_LABELS_MAX, TopicLabels
from relay.service.api.serving.metrics import ApiMetrics
from tests.support.metrics import NAMESPACES, declared, named
from tests.support.repository import ROOT

DOCUMENT = ROOT / "docs" / "metrics.md"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"{NAMESPACE}_{name}", labels)


def documented() -> dict[str, str]:
    """Name and type of every metric in the tables of the document."""
    row = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)
    types = dict(row.findall(DOCUMENT.read_text()))
    return {name: kind for name, kind in types.items() if name.startswith(NAMESPACES)}


def of_all_processes() -> dict[str, str]:
    return declared(Metrics()) | declared(ApiMetrics())


def test_the_document_and_the_code_name_the_same_metrics() -> None:
    assert documented() == of_all_processes()


def test_the_document_queries_only_what_there_is() -> None:
    assert named(DOCUMENT.read_text()) <= of_all_processes().keys()


def test_every_reason_of_a_failure_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \| [A-Z]", DOCUMENT.read_text(), re.MULTILINE))
    assert {str(reason) for reason in Reason} <= explained


def test_names_follow_the_conventions() -> None:
    for name, kind in of_all_processes().items():
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", name)
        assert name.endswith("_total") == (kind == "counter")


def test_topics_beyond_the_limit_share_a_label(metrics: Metrics) -> None:
    for number in range(TOPIC_LABELS_MAX + 5):
        metrics.deliveries.published.labels(metrics.topic_label(f"topic-{number}")).inc()
    assert value(metrics, "published_total", topic="topic-0") == 1
    assert value(metrics, "published_total", topic="other") == 5
    assert metrics.topic_label("topic-0") == "topic-0"


def test_a_known_topic_keeps_its_label() -> None:
    label = TopicLabels(limit=1)
    assert [label("a"), label("b"), label("a")] == ["a", "other", "a"]


def test_a_hold_that_ended_is_shown_no_more(metrics: Metrics) -> None:
    process = ProcessInstrumentation(metrics)
    process.holds(["a", "a", "b"])
    process.holds(["b", "b", "b"])
    assert value(metrics, "holds", topic="a") is None
    assert value(metrics, "holds", topic="b") == 3


def test_holds_of_topics_beyond_the_limit_are_added_up(metrics: Metrics) -> None:
    metrics.topic_label = TopicLabels(limit=0)
    ProcessInstrumentation(metrics).holds(["a", "a", "b"])
    assert value(metrics, "holds", topic="other") == 3


@pytest.mark.parametrize("made", [Metrics, ApiMetrics])
def test_every_series_names_its_outbox(made: type[Metrics | ApiMetrics]) -> None:
    """Those of the process as well, and where a scrape asks for some of them alone."""
    registry = made("installer").registry
    names = ["process_open_fds", "outbox_relay_lag_seconds", "outbox_api_requests_in_flight"]
    for scraped in (registry, registry.restricted_registry(names)):
        samples = [sample for metric in scraped.collect() for sample in metric.samples]
        assert samples
        assert {sample.labels["outbox"] for sample in samples} == {"installer"}


def test_two_processes_worth_of_metrics_do_not_collide() -> None:
    one, other = Metrics(), Metrics()
    one.leases.deaths.inc()
    assert value(other, "deaths_total") == 0


def test_the_process_itself_is_measured(metrics: Metrics) -> None:
    measured = metrics.registry.get_sample_value("process_start_time_seconds")
    assert measured == pytest.approx(psutil.Process().create_time(), abs=2)


def test_a_batch_counts_like_value_by_value(metrics: Metrics) -> None:
    values = [0.0, 0.001, 0.0011, 0.3, 61.0]
    one_by_one = Histogram("expected", "", registry=None, buckets=END_TO_END_SECONDS)
    metrics.deliveries.end_to_end_seconds.observe_many(values[:3])
    metrics.deliveries.end_to_end_seconds.observe_many(iter(values[3:]))
    for each in values:
        one_by_one.observe(each)
    for sample in next(iter(one_by_one.collect())).samples:
        if not sample.name.endswith("_created"):
            name = sample.name.replace("expected", "end_to_end_seconds")
            assert value(metrics, name, **sample.labels) == pytest.approx(sample.value)
