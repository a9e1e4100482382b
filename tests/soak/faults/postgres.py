"""PostgreSQL crashes, gives way to its standby, is out of reach, or is busy with others."""

import random
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from relay.database.migration import migrate
from relay.errors import RelayError
from tests.soak.faults.fault import CleanUp, Fault, network, outage
from tests.soak.stage import Stage
from tests.support.tcp_proxy import Mode, TcpProxy

MIGRATION_SECONDS: Final = 3.0


def postgres_faults(relays: int) -> Mapping[str, Fault]:
    """Return the faults of PostgreSQL by name; each of the *relays* may lose its lease by one."""
    stories = {
        "standby_promoted": standby_promoted,
        "switched_over": switched_over,
        "standby_away": standby_away,
        "postgres_crashed": postgres_crashed,
        "postgres_cut": network(_way, Mode.CUT),
        "postgres_black_hole": network(_way, Mode.BLACK_HOLE),
        "postgres_answers_lost": network(_way, Mode.DROP_RESPONSES),
        "backends_terminated": backends_terminated,
        "table_locked": table_locked,
        "migrated": migrated,
    }
    lossy = {name: outage(story, relays) for name, story in stories.items()}
    return {**lossy, "transaction_left_open": outage(transaction_left_open, 0)}


def standby_promoted(stage: Stage, source: random.Random) -> CleanUp:
    """Let the standby take over; now and then its clients come while it is still read-only."""
    stage.postgres.kill_primary()
    if source.random() < 1 / 2:
        stage.follow(stage.postgres.standby)
        time.sleep(source.uniform(0.2, 1))
    stage.postgres.promote()
    stage.follow(stage.postgres.primary)
    return _copy_anew


def switched_over(stage: Stage, _: random.Random) -> CleanUp:
    """Exchange the servers in good order, while their clients wait and notice nothing."""
    with stage.pause_clients():
        stage.postgres.primary.stop()
        stage.postgres.promote()
        stage.follow(stage.postgres.primary)
    return _copy_anew


def _copy_anew(stage: Stage) -> None:
    stage.postgres.add_standby()


def standby_away(stage: Stage, source: random.Random) -> None:
    """Let each commit wait for a while."""
    standby = stage.postgres.standby
    standby.stop("immediate")
    time.sleep(source.uniform(0.5, 4))
    standby.start()
    stage.postgres.await_standby()


def postgres_crashed(stage: Stage, _: random.Random) -> None:
    stage.postgres.primary.restart("immediate")
    stage.postgres.await_standby()


def backends_terminated(stage: Stage, _: random.Random) -> None:
    with stage.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'outbox-relay%'"
        )


def table_locked(stage: Stage, source: random.Random) -> None:
    with stage.database.connect() as connection:
        connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        time.sleep(source.uniform(0.5, 3))


def transaction_left_open(stage: Stage, source: random.Random) -> None:
    with stage.database.connect() as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM outbox")
        time.sleep(source.uniform(2, 6))


def migrated(stage: Stage, _: random.Random) -> None:
    # Between writers that are never done it may not get its locks, and then gives up unharmed.
    with suppress(RelayError):
        migrate(stage.database.dsn, wait_seconds=MIGRATION_SECONDS, again=True)


def _way(stage: Stage, _: random.Random) -> list[TcpProxy]:
    return [stage.to_postgres]
