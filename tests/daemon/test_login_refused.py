"""PostgreSQL ends a relay's session in the middle of a lease, and refuses the next login."""

from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import pytest

from relay.daemon.assembly import make_worker
from relay.daemon.backoff import OUTAGES
from relay.daemon.kafka import producer
from relay.daemon.kafka.delivery import Delivery
from relay.daemon.telemetry.metrics import Metrics
from relay.daemon.worker import Worker
from relay.errors import DatabaseUnavailableError
from tests.model import broker as model
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member
from tests.support.settings import streaming

REFUSALS = {
    "NOLOGIN": ("LOGIN", "is not permitted to log in"),
    "CONNECTION LIMIT 0": ("CONNECTION LIMIT -1", "too many connections for role"),
}


@pytest.fixture
def memory() -> Iterator[model.Broker]:
    """A broker in memory, for every producer."""
    broker = model.Broker()
    with patch.object(producer, "Producer", partial(model.Producer, broker)):
        yield broker


@pytest.fixture
def user(database: Database) -> Iterator[Database]:
    with member(database, "outbox_relay") as found:
        yield found


@pytest.fixture
def worker(user: Database, memory: model.Broker) -> Iterator[Worker]:
    del memory
    settings = streaming(dsn=user.dsn, bootstrap="in-memory", topic="t", max_message_bytes=100_000)
    found = make_worker(0, settings, Metrics())
    yield found
    found.close()


@pytest.mark.parametrize("how", REFUSALS)
def test_a_login_that_is_refused_in_the_middle_of_a_lease(
    outbox: Outbox, user: Database, worker: Worker, memory: model.Broker, how: str
) -> None:
    undo, reason = REFUSALS[how]
    outbox.fill(50, keys=5)

    def alter(what: str) -> None:
        outbox.connection.execute(f"ALTER ROLE {user.user} {what}".encode())

    def refuse(delivery: Delivery) -> object:
        alter(how)
        outbox.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            (user.user,),
        )
        return finish(delivery)

    finish = Delivery.finish
    with patch.object(Delivery, "finish", refuse), pytest.raises(OUTAGES):
        worker.round()
    # This is what each attempt warns of.
    with pytest.raises(DatabaseUnavailableError, match=reason):
        worker.round()
    alter(undo)
    while outbox.count():
        worker.round()
    assert len({dict(sent.headers)["seq"] for sent in memory.log}) == 50
    assert outbox.count() == 0
