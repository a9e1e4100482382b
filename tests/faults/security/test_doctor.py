"""What `relay doctor` says of a broker that allows too little."""

import json
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from tests.faults.security.guard import Guard
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import QUIET
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

Diagnose = Callable[[], tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def diagnose(run_relay: Callable[..., ProcessUnderTest], environment: dict[str, str]) -> Diagnose:
    """Run `relay doctor`; its exit code, and the findings by what they are about."""

    def run() -> tuple[int, dict[str, dict[str, str]]]:
        process = run_relay("doctor", "--json", environment=environment)
        code = process.wait(60)
        found = json.loads("\n".join(process.stdout))["findings"]
        return code, {finding["subject"]: finding for finding in found}

    return run


def test_what_a_relay_needs_is_enough(diagnose: Diagnose, kafka: SessionKafka, topic: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, **QUIET})
    producer.produce(topic, b"something to read")
    assert producer.flush(20) == 0
    code, found = diagnose()
    assert code == 0
    assert found[f"rights on {topic}"]["outcome"] == "ok"
    assert found[f"size limit of {topic}"]["outcome"] == "ok"
    assert "may not be read" in found[f"seq on {topic}"]["detail"]


def test_each_right_that_is_missing_is_named(diagnose: Diagnose, guard: Guard, topic: str) -> None:
    guard.allow(topic, AclOperation.DESCRIBE)
    code, found = diagnose()
    assert code == 1
    assert found[f"rights on {topic}"]["outcome"] == "failed"
    assert "Write on the topic" in found[f"rights on {topic}"]["detail"]
    assert found[f"size limit of {topic}"]["outcome"] == "unknown"
    assert found[f"size limit of {topic}"]["code"] == "size-limit"
    assert found[f"rights on {topic}"]["code"] == "topic-rights"
    assert "DescribeConfigs" in found[f"size limit of {topic}"]["detail"]
