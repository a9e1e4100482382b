"""The doorbell: it rings while somebody listens, costs nothing else, and is proven to be heard."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from relay.daemon.assembly import make_store
from relay.daemon.postgres.doorbell import Doorbell, DoorbellSettings
from relay.daemon.timing import Interval, Pace, Waiter
from relay.daemon.wake_up import WakeUp
from relay.demo.postgres import EmbeddedPostgres
from tests.support.outbox import Outbox
from tests.support.pgbouncer import pgbouncer
from tests.support.postgres import Database, apply_schema
from tests.support.roles import member
from tests.support.settings import streaming

# Long enough for any ring to come on a busy machine.
PATIENCE = 10.0
MakeBell = Callable[..., Doorbell]


class Silent:
    """Instrumentation that keeps what it is told."""

    def __init__(self) -> None:
        self.switches: list[bool] = []
        self.failures = 0

    def wake_up(self, *, by_bell: bool) -> None:
        self.switches.append(by_bell)

    def doorbell_test_failed(self) -> None:
        self.failures += 1


@pytest.fixture
def make_bell(database: Database) -> Iterator[MakeBell]:
    """Connect a worker's doorbell that nobody has set yet."""
    with ExitStack() as opened:

        def make(dsn: str = database.dsn, listen: str | None = None) -> Doorbell:
            store = make_store(streaming(dsn=dsn, bootstrap="nowhere", topic="topic"), "test")
            store.connect()
            opened.callback(store.close)
            settings = DoorbellSettings(dsn, listen, "test", PATIENCE)
            bell = Doorbell(store._session, settings, Waiter())  # noqa: SLF001
            opened.callback(bell.close)
            assert bell.fault() is None
            return bell

        yield make


@pytest.fixture
def bell(make_bell: MakeBell) -> Doorbell:
    """A doorbell that is listened for, and that nobody has set."""
    bell = make_bell()
    bell.listen()
    return bell


def test_a_commit_rings_while_the_bell_is_set(
    outbox: Outbox, database_connection: Outbox, bell: Doorbell
) -> None:
    assert bell.ring_from_now()
    assert bell.is_set()
    writer = database_connection.connection
    with writer.transaction():
        database_connection.emit("one")
        database_connection.emit("two")
        assert not bell.await_ring(0.0)
    assert bell.await_ring(PATIENCE)
    assert bell.take() == 1
    with writer.transaction(force_rollback=True):
        database_connection.emit("three")
    outbox.connection.execute("INSERT INTO outbox (name, payload) SELECT 'none', '{}' WHERE false")
    with outbox.connection.cursor().copy("COPY outbox (name, payload) FROM STDIN") as copy:
        copy.write_row(("Copied", "{}"))
    assert bell.await_ring(PATIENCE)


@pytest.mark.parametrize(
    "state", ["0", "1000 * date_part('epoch', now())::bigint - 1000", "-9223372036854775807"]
)
def test_nobody_rings_where_the_bell_is_not_set_or_its_time_is_over(
    outbox: Outbox, bell: Doorbell, state: str
) -> None:
    outbox.connection.execute(f"SELECT setval('outbox_bell', {state})".encode())
    assert not bell.is_set()
    outbox.emit("one")
    # Notifications come in order: what is heard first now was sent after the commit.
    assert bell.works()
    assert bell.take() == 0


def test_a_relay_under_load_is_not_overruled_by_an_idle_one(
    outbox: Outbox, make_bell: MakeBell
) -> None:
    idle, loaded = make_bell(), make_bell()
    assert idle.ring_from_now()
    loaded.stop_ringing()
    assert not idle.is_set()
    assert not idle.ring_from_now()
    assert not idle.is_set()
    # What it said of itself holds for a while only.
    outbox.connection.execute(
        "SELECT setval('outbox_bell', -(1000 * date_part('epoch', now())::bigint) + 1000)"
    )
    assert idle.ring_from_now()


def test_a_bell_is_never_shortened(outbox: Outbox, make_bell: MakeBell) -> None:
    far = "1000 * date_part('epoch', now())::bigint + 3600000"
    outbox.connection.execute(f"SELECT setval('outbox_bell', {far})".encode())
    before = outbox.connection.execute("SELECT last_value FROM outbox_bell").fetchone()
    assert make_bell().ring_from_now()
    assert outbox.connection.execute("SELECT last_value FROM outbox_bell").fetchone() == before


# -- the self-test ----------------------------------------------------------------------------


def test_a_ring_from_another_connection_is_heard(bell: Doorbell) -> None:
    assert bell.works()
    assert bell.take() == 0


def test_behind_pgbouncer_no_ring_is_heard_except_past_it(
    database: Database, make_bell: MakeBell
) -> None:
    with pgbouncer(database) as pooled:
        through = make_bell(pooled.dsn)
        through.listen()
        assert not through.works()
        past = make_bell(pooled.dsn, listen=database.dsn)
        past.listen()
        assert past.works()
        assert past.ring_from_now()
        with pooled.connect(autocommit=True) as writer:
            Outbox(writer).emit("one")
        assert past.await_ring(PATIENCE)


@pytest.mark.parametrize("pool_size", [1, 3])
def test_a_failed_self_test_leaves_no_connection_of_a_pooler_listening(
    database: Database, make_bell: MakeBell, pool_size: int
) -> None:
    with pgbouncer(database, pool_size) as pooled, ExitStack() as opened:
        bell = make_bell(pooled.dsn)
        bell.listen()
        assert not bell.works()
        for _ in range(pool_size):
            # In a transaction it has a connection of the server to itself.
            client = opened.enter_context(pooled.connect())
            assert client.execute("SELECT pg_listening_channels()").fetchall() == []


def test_a_new_connection_does_not_listen(bell: Doorbell) -> None:
    assert bell.listening
    bell._session.connect()  # noqa: SLF001
    assert not bell.listening


# -- writers ----------------------------------------------------------------------------------


def test_a_missing_grant_makes_no_insert_fail(
    outbox: Outbox, database: Database, make_bell: MakeBell
) -> None:
    bell = make_bell()
    bell.listen()
    bell.ring_from_now()
    outbox.connection.execute("REVOKE ALL ON SEQUENCE outbox_bell FROM PUBLIC, outbox_writer")
    with member(database, "outbox_writer") as user, user.connect() as writer:
        writer.execute("INSERT INTO outbox (name, payload) VALUES ('one', '{}')")
    assert bell.await_ring(PATIENCE)


def test_a_relay_without_the_grant_says_so(
    outbox: Outbox, database: Database, make_bell: MakeBell
) -> None:
    outbox.connection.execute("REVOKE ALL ON SEQUENCE outbox_bell FROM outbox_relay")
    with member(database, "outbox_relay") as user, pytest.raises(AssertionError, match="may not"):
        make_bell(user.dsn)


def test_an_old_schema_has_no_bell(outbox: Outbox, make_bell: MakeBell) -> None:
    outbox.connection.execute("DROP SEQUENCE outbox_bell")
    with pytest.raises(AssertionError, match="relay migrate"):
        make_bell()


def test_where_transactions_can_be_prepared_nobody_rings(make_bell: MakeBell) -> None:
    with EmbeddedPostgres({"max_prepared_transactions": "2", "fsync": "off"}) as server:
        database = Database(server.dsn())
        apply_schema(database)
        with pytest.raises(AssertionError, match="max_prepared_transactions"):
            make_bell(database.dsn)
        with database.connect() as writer:
            # Set by a relay when it was not so yet.
            writer.execute("SELECT setval('outbox_bell', 9223372036854775807)")
            writer.execute("INSERT INTO outbox (name, payload) VALUES ('one', '{}')")
            writer.execute("PREPARE TRANSACTION 'one'")
            writer.autocommit = True
            writer.execute("COMMIT PREPARED 'one'")
            assert writer.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


# -- no wake-up is lost -----------------------------------------------------------------------


@pytest.fixture
def wake_up(make_bell: MakeBell) -> WakeUp:
    """The wake-up of a worker that was never quiet so far."""
    bell = make_bell()
    return WakeUp(bell._waiter, Pace(0.001, 0.001), bell, Silent())  # noqa: SLF001


def asleep(wake_up: WakeUp) -> bool:
    return wake_up.by_bell


def rest(wake_up: WakeUp, rounds: int) -> None:
    """Rest after so many rounds that found nothing."""
    for _ in range(rounds):
        wake_up.rest(0, more=False, quiet=True)


def test_no_worker_sleeps_while_a_writer_is_open_that_saw_no_bell(
    outbox: Outbox, database_connection: Outbox, wake_up: WakeUp
) -> None:
    writer = database_connection.connection
    writer.execute("BEGIN")
    database_connection.emit("before the bell was set")
    rest(wake_up, 20)
    assert not asleep(wake_up)
    outbox.emit("later ones ring")
    rest(wake_up, 20)
    assert not asleep(wake_up)
    writer.execute("COMMIT")
    # It looks once more, and finds it, before it sleeps.
    rest(wake_up, 1)
    assert not asleep(wake_up)
    rest(wake_up, 1)
    assert asleep(wake_up)


def test_a_writer_that_began_later_wakes_the_sleeper(
    database_connection: Outbox, wake_up: WakeUp
) -> None:
    rest(wake_up, 2)
    assert asleep(wake_up)
    writer = database_connection.connection
    writer.execute("BEGIN")
    database_connection.emit("one")
    rest(wake_up, 1)
    assert asleep(wake_up)
    assert not wake_up.rang
    writer.execute("COMMIT")
    rest(wake_up, 1)
    assert wake_up.rang


def test_what_rang_during_a_round_is_not_forgotten(outbox: Outbox, wake_up: WakeUp) -> None:
    rest(wake_up, 2)
    outbox.emit("while the worker was at work")
    # Its statements take the notification in.
    wake_up._bell.is_set()  # type: ignore[union-attr]  # noqa: SLF001
    rest(wake_up, 1)
    assert wake_up.rang


def test_a_sleeper_notices_that_the_bell_is_not_set_any_more(
    outbox: Outbox, wake_up: WakeUp
) -> None:
    rest(wake_up, 2)
    assert asleep(wake_up)
    outbox.connection.execute("SELECT setval('outbox_bell', 0)")
    wake_up._check = Interval(0.0)  # noqa: SLF001
    rest(wake_up, 1)
    # Set anew, and all the steps again.
    assert not asleep(wake_up)
    rest(wake_up, 1)
    assert asleep(wake_up)


def test_behind_pgbouncer_a_worker_polls(database: Database, make_bell: MakeBell) -> None:
    with pgbouncer(database) as pooled:
        bell, told = make_bell(pooled.dsn), Silent()
        wake_up = WakeUp(bell._waiter, Pace(0.001, 0.001), bell, told)  # noqa: SLF001
        rest(wake_up, 10)
        assert not asleep(wake_up)
        # Not again and again.
        assert (told.failures, told.switches) == (1, [])
        assert not bell.is_set()
