"""What a relay under test says of itself over HTTP."""

import re
from http.client import HTTPConnection

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from relay.daemon.telemetry.metrics import NAMESPACE, Metrics
from relay.demo.ports import LOOPBACK
from relay.service.api.serving.metrics import NAMESPACE as API_NAMESPACE
from relay.service.api.serving.metrics import ApiMetrics
from tests.support.process import ProcessUnderTest

ANSWER_SECONDS = 30.0
NAMESPACES = (NAMESPACE, API_NAMESPACE)


def declared(metrics: Metrics | ApiMetrics) -> dict[str, str]:
    """Name and type of every metric of ours, as a scrape sees them."""
    scraped = generate_latest(metrics.registry).decode()
    types = {m.name: m.type for m in text_string_to_metric_families(scraped)}
    return {
        f"{name}_total" if kind == "counter" else name: kind
        for name, kind in types.items()
        if name.startswith(NAMESPACES)
    }


def named(text: str) -> set[str]:
    """The metrics of ours that a query or a document names."""
    used = re.findall(rf"\b(?:{'|'.join(NAMESPACES)})_\w+", text)
    return {re.sub("_(bucket|sum|count)$", "", name) for name in used}


def port(relay: ProcessUnderTest) -> int:
    """The relay's own port, which its log names."""
    said = relay.wait_for_log("metrics and health on port")["message"]
    return int(re.findall(r"\d+", said)[0])


def get(relay: ProcessUnderTest, path: str) -> tuple[int, str]:
    """Status and text of a page of the relay's own port."""
    connection = HTTPConnection(LOOPBACK, port(relay), timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metric(relay: ProcessUnderTest, name: str, **labels: str) -> float:
    """The sum of all samples of outbox_relay_`name` that have these labels; 0 without one."""
    _, text = get(relay, "/metrics")
    return total(text, f"outbox_relay_{name}", **labels)


def total(scraped: str, name: str, **labels: str) -> float:
    """The sum of all samples of that name that have these labels; 0 without one."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(scraped)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
