"""Both brokers of the demo: they answer, are away for a while, and go on with what they had."""

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from relay.demo.broker import BrokerProcess
from relay.demo.kafka import KafkaProcess, libraries
from tests.support.eventually import eventually

TOPIC = "demo"


@pytest.mark.parametrize(
    "kind", ["mock", pytest.param("real", marks=[pytest.mark.kafka, pytest.mark.slow])]
)
@pytest.mark.processes
def test_a_broker_goes_away_and_comes_back(kind: str) -> None:
    jars = libraries()
    assert kind == "mock" or jars is not None
    starting = KafkaProcess(TOPIC, jars) if kind == "real" and jars else BrokerProcess(TOPIC)
    with starting as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        assert len(admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions) == 4
        broker.pause()
        # Frozen a moment after the signal.
        eventually(lambda: not answers(admin))
        assert broker.is_away
        broker.resume()
        assert len(admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions) == 4


def answers(admin: AdminClient) -> bool:
    try:
        admin.list_topics(TOPIC, timeout=0.3)
    except KafkaException:
        return False
    return True


def test_without_java_there_are_no_jars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert libraries() is None
