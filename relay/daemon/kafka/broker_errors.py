"""Broker errors: the last one of each address, until that broker works again.

librdkafka names a broker by the address that it connects to: an advertised one that does not
resolve is found here alone, because bootstrap goes on answering.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import KafkaError

from relay.daemon.state import BrokerError

# Longer than any pause between attempts: what fails, says so again until then.
_CURRENT_SECONDS: Final = 120.0
_ADDRESSES_MAX: Final = 50
# Such as: sasl_ssl://host:9092/1: Failed to resolve host (after 0ms in state CONNECT)
_NAMED: Final = re.compile(
    r"(?:\w+://)?(?P<address>\S+:\d+)/(?P<node>bootstrap|-?\d+): (?P<text>.*?)(?: \(after .*)?",
    re.DOTALL,
)
# They sum up what others say in detail.
_SUMMARIES: Final = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._FATAL})


class BrokerErrors:
    """Collects what the Kafka client says of brokers, over all producers of a worker."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._noted: dict[str, BrokerError] = {}
        self._bootstrap: set[str] = set()

    def note(self, error: KafkaError) -> None:
        """Note *error*, as librdkafka's error_cb gives it."""
        if error.code() in _SUMMARIES:
            return
        named = _NAMED.fullmatch(error.str())
        address, text = named.group("address", "text") if named else ("", error.str())
        if address not in self._noted and len(self._noted) >= _ADDRESSES_MAX:
            return
        self._noted[address] = BrokerError(address, text, self._clock())
        if named is None or named.group("node") == "bootstrap":
            self._bootstrap.add(address)
        else:
            self._bootstrap.discard(address)

    @property
    def current(self) -> Sequence[BrokerError]:
        """The last error of each broker that is not known to work again."""
        if not self._noted:
            return ()
        oldest = self._clock() - _CURRENT_SECONDS
        return tuple(error for error in self._noted.values() if error.at >= oldest)

    def answered(self) -> None:
        """Forget the errors of bootstrap addresses: a broker answered a question."""
        while self._bootstrap:
            del self._noted[self._bootstrap.pop()]

    def clear(self) -> None:
        """Forget all errors: all that was sent was acknowledged."""
        self._noted.clear()
        self._bootstrap.clear()

    def __str__(self) -> str:
        return "; ".join(map(str, self.current))
