"""librdkafka's mock broker: speaks Kafka over TCP, needs no download, keeps little."""

from types import TracebackType
from typing import Self

from confluent_kafka import Producer


class MockBroker:
    """A broker inside this process. It keeps about 5 MB a partition and drops the rest silently."""

    def __init__(self) -> None:
        self._host = Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
        brokers = self._host.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create(self, topic: str) -> None:
        """Make *topic* by asking for it."""
        self._host.list_topics(topic, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._host.purge()
