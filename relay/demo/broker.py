"""librdkafka's mock broker: speaks Kafka over TCP, needs no download, keeps little."""

import signal
import subprocess
import sys
from typing import Final, Self

from confluent_kafka import Producer

from relay.errors import RelayError

_END_SECONDS: Final = 5.0


class BrokerStartError(RelayError):
    """The broker's process ended before it told its address."""


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

    def __exit__(self, *exception: object) -> None:
        self._host.purge()


class BrokerProcess:
    """A mock broker in a process of its own, which can be frozen: Kafka is away, then back."""

    name = "mock broker"
    max_message_bytes = "1000000"
    """Given to relays, since the mock knows no DescribeConfigs."""

    def __init__(self, topic: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "relay.demo.broker", topic],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.bootstrap = ""
        self.is_away = False

    def __enter__(self) -> Self:
        # Its only line; what communicate() reads is the rest.
        self.bootstrap = self._process.stdout.readline().strip() if self._process.stdout else ""
        if not self.bootstrap:
            raise BrokerStartError(f"The mock broker ended with code {self._process.wait()}.")
        return self

    def __exit__(self, *exception: object) -> None:
        self.resume()
        self._process.communicate(timeout=_END_SECONDS)

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)
        self.is_away = True

    def resume(self) -> None:
        """Let the broker go on with what it had."""
        self._process.send_signal(signal.SIGCONT)
        self.is_away = False


def main() -> None:
    """Be a broker with the topic of the first argument until standard input ends."""
    # Ctrl-C in the terminal ends the demo, and the demo its broker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with MockBroker() as broker:
        broker.create(sys.argv[1])
        sys.stdout.write(f"{broker.bootstrap}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
