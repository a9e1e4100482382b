"""PostgreSQL and Kafka for a test session: one of each, for all of its workers.

`python -m tests.support.servers` holds them for many sessions, until Ctrl-C.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Client, Connection, Listener
from threading import Lock, Thread
from typing import Any, Generic, Protocol, TypeVar

from tests.support.kafka.selection import SessionKafka, session_kafka
from tests.support.leftovers import own_directory
from tests.support.postgres import Database, apply_schema, postgres_server, temporary_database

T = TypeVar("T")


class Servers(Protocol):
    """Each server is started when it is first asked for."""

    @property
    def postgres(self) -> Callable[[], Database]:
        """The server, by its maintenance database."""

    @property
    def template(self) -> Callable[[], Database]:
        """A database with the schema, to be copied: nobody may stay connected to it."""

    @property
    def kafka(self) -> Callable[[], SessionKafka]:
        """The broker."""


class Once(Generic[T]):
    """A value made by the first who asks; the others wait for it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class OwnServers:
    """Servers of this process, ended by `close`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.postgres = Once(lambda: self._stack.enter_context(postgres_server()))
        self.template = Once(lambda: self._stack.enter_context(_template(self.postgres())))
        self.kafka = Once(lambda: self._stack.enter_context(session_kafka()))

    def close(self) -> None:
        """End what was started, the last one first."""
        self._stack.close()


class SharedServers:
    """Servers of another process, which serves them at `address`."""

    def __init__(self, address: str) -> None:
        self.postgres: Callable[[], Database] = partial(_ask, address, "postgres")
        self.template: Callable[[], Database] = partial(_ask, address, "template")
        self.kafka: Callable[[], SessionKafka] = partial(_ask, address, "kafka")


@contextmanager
def served(servers: Servers) -> Iterator[str]:
    """Let other processes share *servers*, by the address yielded."""
    with Listener() as listener:
        Thread(target=_serve, args=(listener, servers), daemon=True).start()
        yield str(listener.address)


@contextmanager
def _template(server: Database) -> Iterator[Database]:
    with temporary_database(server) as template:
        apply_schema(template)
        yield template


def _serve(listener: Listener, servers: Servers) -> None:
    with suppress(OSError):  # closed: the session is over
        while True:
            Thread(target=_answer, args=(listener.accept(), servers), daemon=True).start()


def _answer(connection: Connection, servers: Servers) -> None:
    with connection:
        try:
            connection.send(getattr(servers, connection.recv())())
        except Exception as error:  # noqa: BLE001 - raised where the server was asked for
            connection.send(error)


def _ask(address: str, name: str) -> Any:  # noqa: ANN401 - each name has a type of its own
    with Client(address) as connection:
        connection.send(name)
        answer = connection.recv()
    if isinstance(answer, Exception):
        raise answer
    return answer


def main() -> None:
    """Hold both servers, and print the variables by which test sessions find them."""
    with own_directory(), closing(OwnServers()) as servers, suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        kafka = servers.kafka()
        if not kafka.is_real:
            sys.exit(f"No real Kafka is to be had: {kafka.absent}")
        sys.stdout.write(
            f"export DATABASE_URL={servers.postgres().dsn}\n"
            f"export KAFKA_BOOTSTRAP_SERVER={kafka.bootstrap}\n"
        )
        sys.stdout.flush()
        sys.stderr.write("Both run until Ctrl-C. Run the two lines above in other terminals.\n")
        signal.pause()


if __name__ == "__main__":
    main()
