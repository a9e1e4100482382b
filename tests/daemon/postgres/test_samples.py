"""Samples of the last day: one a minute, whoever comes first, and no more than a day of them."""

from relay.daemon.figures import Figures
from relay.daemon.postgres import samples
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member

FIGURES = Figures(
    lag_seconds=1.5,
    pending=4,
    held=2,
    paused=1,
    paused_shards=1,
    left_behind=0,
    parked=2,
    bytes=0,
    oldest_writer_seconds=0,
    dead_tuples=0,
    xmin_age_seconds=0,
    xmin_age_transactions=0,
)


def test_a_minute_has_one_sample_and_a_day_is_kept(database: Database, outbox: Outbox) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox_sample (at, pending, parked, lag_seconds, published, relays)"
        " SELECT clock_timestamp() - hours * interval '1 hour', 1, 0, 0, 0, 1"
        " FROM generate_series(1, 48) AS hours"
    )
    with member(database, "outbox_relay") as relay, relay.connect() as connection:
        for _ in range(3):
            samples.record(connection, FIGURES)
    found = outbox.connection.execute(
        "SELECT pending, parked, lag_seconds FROM outbox_sample ORDER BY at DESC"
    ).fetchall()
    # A minute may have ended between two of the three.
    assert found[0] == (7, 2, 1.5)
    assert found.count((7, 2, 1.5)) <= 2
    assert 23 <= len([each for each in found if each[0] == 1]) <= 24
