from collections.abc import Callable, Iterator

import pytest

from relay.daemon.postgres.store import Store
from relay.settings import RelaySettings
from tests.support.postgres import Database

LEASE_SHARDS = RelaySettings().lease_shards
MakeStore = Callable[..., Store]


@pytest.fixture
def make_store(database: Database) -> Iterator[MakeStore]:
    """Connect a worker's view of the outbox, as it is configured now."""
    stores: list[Store] = []

    def make(**settings: int) -> Store:
        relay = RelaySettings.model_validate(settings)
        stores.append(Store(database.dsn, "test", relay, "topic"))
        stores[-1].connect()
        return stores[-1]

    yield make
    for store in stores:
        store.close()
