"""A relay process that sleeps: woken by a writer, told of by metric and outbox_relay."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pytest

from tests.support.eventually import eventually
from tests.support.load import stretched
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest

pytestmark = pytest.mark.kafka

# Of an event after some silence. A relay that only looks each second takes half of one on average.
AT_ONCE_SECONDS: Final = 0.25
EVENTS: Final = 5

Environment = Callable[[Database], Mapping[str, str]]


@pytest.fixture
def pooled(database: Database) -> Iterator[Database]:
    with pgbouncer(database) as pooled:
        yield pooled


def sleeps(process: ProcessUnderTest) -> bool:
    return metric(process, "doorbell_active") == 1


def wake_up(outbox: Outbox) -> str:
    row = outbox.connection.execute("SELECT wake_up FROM outbox_relay").fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("past_a_pooler", [False, True])
def test_a_sleeping_relay_is_woken_by_each_writer(
    database: Database,
    pooled: Database,
    outbox: Outbox,
    relay: Start,
    past_a_pooler: bool,  # noqa: FBT001 - a parameter
) -> None:
    environment = {"RELAY_SAMPLE_SECONDS": "0.5"}
    if past_a_pooler:
        environment |= {"DATABASE_URL": pooled.dsn, "LISTEN_DATABASE_URL": database.dsn}
    process = relay(**environment)
    eventually(lambda: sleeps(process))
    eventually(lambda: wake_up(outbox) == "doorbell")
    seconds = []
    for number in range(EVENTS):
        begun = time.monotonic()
        outbox.emit(f"{number}")
        outbox.await_empty("true")
        seconds.append(time.monotonic() - begun)
    assert sorted(seconds)[EVENTS // 2] < stretched(AT_ONCE_SECONDS)
    assert metric(process, "doorbell_test_failures_total") == 0


def test_behind_a_pooler_the_relay_polls_and_says_so(
    pooled: Database, outbox: Outbox, relay: Start
) -> None:
    process = relay(DATABASE_URL=pooled.dsn, RELAY_SAMPLE_SECONDS="0.5")
    process.wait_for_log("LISTEN_DATABASE_URL")
    assert not sleeps(process)
    assert metric(process, "doorbell_test_failures_total") == 1
    outbox.emit("one")
    outbox.await_empty("true")
    assert wake_up(outbox) == "poll"


def test_the_doorbell_can_be_turned_off(outbox: Outbox, relay: Start) -> None:
    process = relay(RELAY_DOORBELL="false")
    outbox.emit("one")
    outbox.await_empty("true")
    state = outbox.connection.execute("SELECT last_value, is_called FROM outbox_bell").fetchone()
    assert state == (0, False)
    assert not sleeps(process)


def test_a_database_of_an_earlier_state_is_served_by_polling(outbox: Outbox, relay: Start) -> None:
    outbox.connection.execute("DROP FUNCTION outbox_ring, outbox_claim CASCADE")
    outbox.connection.execute("DROP SEQUENCE outbox_bell")
    process = relay()
    process.wait_for_log("relay migrate")
    outbox.fill(100, keys=10)
    outbox.await_empty("true")
    assert not sleeps(process)
