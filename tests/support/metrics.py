"""What a relay under test says of itself over HTTP."""

import re
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families

from relay.demo.ports import LOOPBACK
from tests.support.process import ProcessUnderTest

ANSWER_SECONDS = 5.0


def get(relay: ProcessUnderTest, path: str) -> tuple[int, str]:
    """Status and text of a page of the relay's own port, which its log names."""
    said = relay.wait_for_log("metrics and health on port")["message"]
    port = int(re.findall(r"\d+", said)[0])
    connection = HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metric(relay: ProcessUnderTest, name: str, **labels: str) -> float:
    """The sum of all samples of outbox_relay_`name` that have these labels; 0 without one."""
    _, text = get(relay, "/metrics")
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"outbox_relay_{name}" and labels.items() <= sample.labels.items()
    )
