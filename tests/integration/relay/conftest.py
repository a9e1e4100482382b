from collections.abc import Callable, Iterator

import pytest

from relay.daemon.store import Store
from relay.settings import RelaySettings
from tests.support.postgres import Database

LEASE_SHARDS = 16


@pytest.fixture
def make_store(database: Database) -> Iterator[Callable[[], Store]]:
    """Connect a worker's view of the outbox, as it is configured now."""
    stores: list[Store] = []

    def make() -> Store:
        settings = RelaySettings(lease_shards=LEASE_SHARDS)
        stores.append(Store(database.dsn, "test", settings, "topic"))
        stores[-1].connect()
        return stores[-1]

    yield make
    for store in stores:
        store.close()
