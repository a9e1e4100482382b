"""Who is blamed when a lease was lost."""

import psycopg
import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.crash_isolation import Deaths, isolate
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox

ROWS = 2_000


@pytest.mark.parametrize(("shards", "someone_blamed"), [(1, True), (2, False)])
def test_only_a_lease_of_one_isolated_shard_can_have_published(
    outbox: Outbox, make_store: MakeStore, shards: int, *, someone_blamed: bool
) -> None:
    outbox.fill(ROWS, keys=ROWS)
    outbox.connection.execute("UPDATE outbox_shard SET isolated_until = %s", (ROWS,))
    with (
        pytest.raises(psycopg.OperationalError),
        make_store(lease_shards=shards).lease(Exclusions()),
    ):
        outbox.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with make_store().lease(Exclusions()) as lease:
        assert lease is not None
        assert isinstance(isolate(lease), Deaths)
    assert (outbox.count("attempts > 0") > 0) == someone_blamed
