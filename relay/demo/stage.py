"""All that the demo plays with: servers, relays, a service that writes, a consumer, a witness."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol, Self

from relay.database.migration import migrate
from relay.demo.consumer import RunningConsumer
from relay.demo.history import judge
from relay.demo.relay_process import RelayProcess
from relay.demo.report import Report
from relay.demo.witness import Witness
from relay.demo.writers import CLUSTERS, Writers

TOPIC: Final = "events-stream"
DELIVERY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
# Of one transaction of the simulated installation, on average.
_ROWS: Final = 3


class Broker(Protocol):
    """Kafka that can be away for a while."""

    bootstrap: str
    is_away: bool

    @property
    def name(self) -> str:
        """Its kind, for people."""

    @property
    def max_message_bytes(self) -> str:
        """The largest message that it takes."""

    def pause(self) -> None:
        """Answer nobody."""

    def resume(self) -> None:
        """Answer again."""


def environment(dsn: str, broker: Broker) -> dict[str, str]:
    """Return what leads a relay to the two servers."""
    return {
        "DATABASE_URL": dsn,
        "KAFKA_BOOTSTRAP_SERVER": broker.bootstrap,
        "RELAY_MAX_MESSAGE_BYTES": broker.max_message_bytes,
        "ENABLE_EVENT_STREAMING": "true",
        "KAFKA_EVENT_STREAM_TOPIC": TOPIC,
    }


class Stage:
    """Opened in one `with`. *pace*: the seconds that people get to see each act."""

    def __init__(self, dsn: str, broker: Broker, *, events: int, seed: int, pace: float) -> None:
        self.dsn = dsn
        self.broker = broker
        self.events = events
        self.pace = pace
        self.environment = environment(dsn, broker)
        self.relays: list[RelayProcess] = []
        self._seed = seed

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            migrate(self.dsn)
            self.witness = opened.enter_context(Witness(self.dsn))
            self.witness.install()
            self.writers = opened.enter_context(Writers(self.dsn, self._seed))
            opened.callback(self._end_relays)
            consumer = RunningConsumer(self.broker.bootstrap, TOPIC)
            self.consumer = opened.enter_context(consumer)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def add_relay(self, **settings: str) -> RelayProcess:
        """Start one more relay, with *settings* beside the common ones."""
        number = len(self.relays) + 1
        relay = RelayProcess(number, self.environment | settings, self._folder)
        self.relays.append(relay)
        return relay

    @contextmanager
    def writing(self, share: float) -> Iterator[None]:
        """Let the service write *share* of all events; it began when the block begins."""
        rows = max(1, int(self.events * share))
        target = self.witness.figures().committed + rows
        pause = self.pace * CLUSTERS * _ROWS / rows
        with self.writers.at_work(pause):
            yield
            self.until(lambda: self.witness.figures().committed >= target)

    def write(self, share: float) -> None:
        """Let the service write *share* of all events."""
        with self.writing(share):
            pass

    def until(self, seen: Callable[[], bool]) -> bool:
        """Wait for what is to be seen; return False if it did not come in a minute.

        Raises:
            RelayEndedError: a relay ended although nobody asked it to.
        """
        gives_up_at = time.monotonic() + DELIVERY_SECONDS
        while not seen():
            for relay in self.relays:
                relay.check()
            if time.monotonic() > gives_up_at:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def until_delivered(self) -> bool:
        """Wait until the consumer has read all that was committed."""
        wanted = {row.event_id for row in self.witness.written()}
        return self.until(lambda: not wanted - {message.event_id for message in self.consumer.read})

    def linger(self) -> None:
        """Give people a moment to look."""
        time.sleep(self.pace / 2)

    def report(self) -> Report:
        """Compare what was committed with what was read, as the judge sees it."""
        verdict = judge(self.witness.written(), self.consumer.read)
        return Report.of(verdict, self.writers.rolled_back)

    def _end_relays(self) -> None:
        for relay in self.relays:
            relay.begin_to_end()
        for relay in self.relays:
            relay.end()
