"""The servers of a session and the databases of its tests, as fixtures."""

import gc
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing

import hypothesis
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

from tests.support.kafka.selection import SessionKafka
from tests.support.leftovers import own_directory
from tests.support.postgres import Database, database_by
from tests.support.servers import OwnServers, Servers, SharedServers, served

SERVERS = pytest.StashKey[Servers]()
ADDRESS = pytest.StashKey[str]()
RESOURCES = pytest.StashKey[ExitStack]()

# Examples are judged by what they show, not by how long a loaded machine takes for them.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


def pytest_configure(config: pytest.Config) -> None:
    """Give this session its servers; workers share those of the process that started them."""
    # Nearly all that a collection makes stays: looking through it takes a sixth of its time.
    gc.disable()
    given: dict[str, str] | None = getattr(config, "workerinput", None)
    # What nohup has ignored stays so here, and is not inherited by the processes under test.
    if given is not None or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    if given is not None:
        config.stash[SERVERS] = SharedServers(given["servers"])
        return
    # Whoever ends a session in this way, such as CI, wants its servers ended too. A shell lets what
    # it starts in the background ignore Ctrl-C, which the processes under test must not inherit.
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, signal.default_int_handler)
    config.stash[RESOURCES] = resources = ExitStack()
    resources.enter_context(own_directory())
    config.stash[SERVERS] = servers = resources.enter_context(closing(OwnServers()))
    config.stash[ADDRESS] = resources.enter_context(served(servers))


def pytest_collection_finish() -> None:
    """Spare the garbage collector the tests themselves, at which it would look again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers that this process started."""
    if resources := config.stash.get(RESOURCES, None):
        resources.close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a worker where the servers are to be had."""
    node.workerinput["servers"] = node.config.stash[ADDRESS]


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """The servers of this session, none of which runs before it is asked for."""
    return pytestconfig.stash[SERVERS]


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> Database:
    """The server of this session, by its maintenance database."""
    return servers.postgres()


@pytest.fixture(scope="session")
def template_database(servers: Servers) -> Database:
    """The database that `database` copies: nobody may stay connected to it."""
    return servers.template()


@pytest.fixture(scope="session")
def administrator(postgres: Database) -> Iterator[Connection[TupleRow]]:
    """The connection that makes and drops the databases of this worker's tests."""
    with postgres.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def database(
    administrator: Connection[TupleRow], postgres: Database, template_database: Database
) -> Iterator[Database]:
    """A database with the schema, for one test alone."""
    with database_by(administrator, postgres, template_database) as fresh:
        yield fresh


@pytest.fixture
def empty_database(administrator: Connection[TupleRow], postgres: Database) -> Iterator[Database]:
    """A database without the schema, for one test alone."""
    with database_by(administrator, postgres) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def kafka(servers: Servers) -> SessionKafka:
    """The broker of this session."""
    return servers.kafka()
