"""A broker whose clients come through a faulty network."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from tests.support.kafka.broker import KafkaBroker
from tests.support.tcp_proxy import Mode, TcpProxy


@dataclass(frozen=True)
class ProxiedBroker:
    """A broker, and the proxy that it advertises; its ADMIN listener is not behind it."""

    broker: KafkaBroker
    proxy: TcpProxy

    def heal(self) -> None:
        """Let broker and network work again, whatever was done to them."""
        self.proxy.mode = Mode.PASS
        if self.broker.pid is None:
            self.broker.start()
        else:
            self.broker.resume()


@contextmanager
def proxied_broker(
    properties: Mapping[str, str] | None = None, *, client_protocol: str = "PLAINTEXT"
) -> Iterator[ProxiedBroker]:
    """Run a broker behind a proxy.

    Raises:
        KafkaUnavailableError: Java or the jars are missing, or the broker did not come up.
    """
    broker = KafkaBroker(properties, client_protocol=client_protocol)
    with closing(broker), TcpProxy(broker.address) as proxy:
        broker.advertise(proxy.address)
        broker.start()
        yield ProxiedBroker(broker, proxy)
