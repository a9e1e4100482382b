from collections.abc import Callable, Iterator

import pytest

from relay.daemon.assembly import make_store as assemble_store
from relay.daemon.postgres.store import Store
from relay.settings import RelaySettings
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.settings import streaming

LEASE_SHARDS = RelaySettings().lease_shards
MakeStore = Callable[..., Store]


@pytest.fixture
def without_functions(outbox: Outbox) -> None:
    """A database in which no migration has made the functions of small leases."""
    outbox.connection.execute("DROP FUNCTION outbox_claim, outbox_settle, outbox_drawn")


@pytest.fixture
def make_store(database: Database) -> Iterator[MakeStore]:
    """Connect a worker's view of the outbox, as it is configured now."""
    stores: list[Store] = []

    def make(dsn: str = database.dsn, **relay: int) -> Store:
        settings = streaming(dsn=dsn, bootstrap="nowhere", topic="topic", **relay)
        stores.append(assemble_store(settings, "test"))
        stores[-1].connect()
        return stores[-1]

    yield make
    for store in stores:
        store.close()
