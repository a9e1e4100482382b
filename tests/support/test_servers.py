import re
import signal
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.support.eventually import eventually
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import admin_client
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest
from tests.support.servers import Once, SharedServers, served

SERVER = Database("postgresql://somebody@127.0.0.1:1/postgres")


class Elsewhere:
    """Servers as the process that starts the workers has them."""

    def __init__(self) -> None:
        self.postgres = lambda: SERVER
        self.template = lambda: SERVER.sibling("template")
        self.kafka: Callable[[], SessionKafka] = self._no_kafka

    def _no_kafka(self) -> SessionKafka:
        raise KafkaUnavailableError("no Java")


@pytest.fixture
def shared() -> Iterator[SharedServers]:
    with served(Elsewhere()) as address:
        yield SharedServers(address)


def test_a_worker_learns_where_a_server_is(shared: SharedServers) -> None:
    assert shared.postgres() == SERVER
    assert shared.template().name == "template"


def test_a_worker_learns_why_there_is_none(shared: SharedServers) -> None:
    with pytest.raises(KafkaUnavailableError, match="no Java"):
        shared.kafka()
    assert shared.postgres() == SERVER


def test_a_server_is_started_once() -> None:
    numbers = iter(range(10))
    first = Once(lambda: next(numbers))
    assert [first(), first()] == [0, 0]


@pytest.mark.kafka
@pytest.mark.processes
def test_both_are_held_until_ctrl_c() -> None:
    with ProcessUnderTest([sys.executable, "-m", "tests.support.servers"], {}) as holder:
        lines = eventually(lambda: holder.stdout[1:] and holder.stdout, timeout=60)
        found = dict(re.findall(r"export (\w+)=(\S+)", "\n".join(lines)))
        database = Database(found["DATABASE_URL"])
        assert database.answers()
        assert admin_client(found["KAFKA_BOOTSTRAP_SERVER"]).list_topics(timeout=10).brokers
        holder.send_signal(signal.SIGINT)
        assert holder.wait(60) == 0, holder.output
    with pytest.raises(psycopg.OperationalError):
        database.connect()
