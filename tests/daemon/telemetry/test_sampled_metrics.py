"""Sampled metrics: every gauge of the outbox takes the figure that was measured for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

import pytest

from relay.daemon.assembly import make_roster, make_sampler
from relay.daemon.exclusions import TopicPartition
from relay.daemon.figures import Figures, Report
from relay.daemon.postgres.backlog import Backlog, ShardRows, backlog
from relay.daemon.postgres.roster import Identity, Roster
from relay.daemon.state import Hold
from relay.daemon.telemetry.metrics import NAMESPACE, Metrics
from relay.daemon.telemetry.process import SamplerInstrumentation
from relay.daemon.telemetry.topic_labels import OTHER_TOPICS
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.settings import streaming

PREFIX = f"{NAMESPACE}_"


def value(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(PREFIX + name)
    assert found is not None, name
    return found


def test_a_sample_sets_every_gauge_to_a_figure_of_its_own() -> None:
    metrics = Metrics()
    gauges = {
        "lag_seconds": "lag_seconds",
        "pending": "pending",
        "held": "held_rows",
        "paused": "paused_rows",
        "paused_shards": "paused_shards",
        "left_behind": "left_behind_rows",
        "parked": "parked_rows",
        "bytes": "outbox_bytes",
        "oldest_writer_seconds": "oldest_writer_seconds",
        "dead_tuples": "outbox_dead_tuples",
        "xmin_age_seconds": "xmin_age_seconds",
        "xmin_age_transactions": "xmin_age_transactions",
    }
    assert gauges.keys() == {field.name for field in fields(Figures)}
    figures = Figures(**{name: number for number, name in enumerate(gauges, 1)})
    begun = time.time()
    SamplerInstrumentation(metrics).sampled(figures)
    shown = [value(metrics, gauge) for gauge in gauges.values()]
    assert shown == [float(number) for number in range(1, len(gauges) + 1)]
    assert begun <= value(metrics, "sampled_timestamp_seconds") <= time.time()


def test_published_rows_are_told_by_topic_without_the_others_of_too_many() -> None:
    metrics = Metrics()
    for topic, rows in (("events", 3), ("audit", 2), ("events", 1), (OTHER_TOPICS, 9)):
        metrics.deliveries.published.labels(topic).inc(rows)
    assert SamplerInstrumentation(metrics).published() == {"events": 4, "audit": 2}


def test_samples_that_failed_and_rows_that_were_missed_are_counted() -> None:
    metrics = Metrics()
    instrumentation = SamplerInstrumentation(metrics)
    instrumentation.failed(outage=True)
    instrumentation.missed([7, 8, 9])
    assert value(metrics, "sample_failures_total") == 1.0
    assert value(metrics, "rows_below_watermark_total") == 3.0


def test_the_sampler_shows_what_is_in_the_outbox(database: Database, outbox: Outbox) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, created_at)"
        " SELECT 'n', '{}', now() - interval '1 hour' FROM generate_series(1, 5)"
    )
    outbox.connection.execute("UPDATE outbox SET parked_at = now() WHERE id <= 2")
    metrics = sampled(database)
    assert (value(metrics, "pending"), value(metrics, "parked_rows")) == (3.0, 2.0)
    assert value(metrics, "lag_seconds") == pytest.approx(3600.0, abs=60.0)
    assert value(metrics, "outbox_bytes") > 0


def test_rows_held_and_paused_count_apart_and_are_no_lag(
    database: Database, outbox: Outbox
) -> None:
    """One row for a misspelt topic in a quiet service wakes nobody."""
    relay = Roster(Identity(streaming=True, topic="t", alive_seconds=60.0))
    hold = Hold(TopicPartition("misspelt"), "unknown topic", since=0.0, next_try_at=0.0)
    with database.connect() as connection:
        relay.sign(connection, Report(holds=[hold.as_json()]))
    outbox.emit("Held", topic="misspelt", key="a")
    outbox.emit("Paused", key="b")
    outbox.emit("Going", key="c")
    outbox.connection.execute(
        "UPDATE outbox SET created_at = now() - interval '1 day' WHERE name <> 'Going'"
    )
    outbox.connection.execute(
        "UPDATE outbox_shard SET paused_at = now()"
        " WHERE shard = (SELECT shard FROM outbox WHERE name = 'Paused')"
    )
    metrics = sampled(database)
    names = ("pending", "held_rows", "paused_rows", "paused_shards")
    assert [value(metrics, name) for name in names] == [1.0, 1.0, 1.0, 1.0]
    assert value(metrics, "lag_seconds") < 60.0


def test_rows_behind_a_parked_one_of_their_key_are_held(database: Database, outbox: Outbox) -> None:
    outbox.fill(6, keys=2)
    outbox.connection.execute("UPDATE outbox SET parked_at = now() WHERE id = 1")
    outbox.connection.execute(
        "UPDATE outbox SET created_at = now() - interval '1 day' WHERE key = 'key-1'"
    )
    metrics = sampled(database, block_keys=True)
    assert (value(metrics, "pending"), value(metrics, "held_rows")) == (3.0, 2.0)
    assert value(metrics, "lag_seconds") < 60.0
    # Elsewhere they are not held.
    assert value(sampled(database), "lag_seconds") > 60.0


@pytest.mark.usefixtures("outbox")
def test_an_open_writer_is_seen_for_as_long_as_it_is_open(database: Database) -> None:
    metrics = Metrics()
    with sampler(database, metrics) as sample, database.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO outbox (name, payload) VALUES ('n', '{}')")
        sample()
        first = value(metrics, "oldest_writer_seconds")
        sample()
        assert value(metrics, "oldest_writer_seconds") > first
        writer.commit()
        sample()
        assert value(metrics, "oldest_writer_seconds") == 0.0


def test_a_backlog_beyond_the_limit_is_estimated_and_falls_as_it_drains() -> None:
    full = [
        ShardRows(shard, paused=shard == 1, rows=10, held=4 * (shard == 2)) for shard in range(4)
    ]
    assert backlog(full, limit=10, total=4_000) == Backlog(2_600, 400, 1_000, frozenset({1}))
    assert backlog(full, limit=10, total=2_000).pending == 1_300
    exact = Backlog(26, 4, 10, frozenset({1}))
    assert backlog(full, limit=11, total=4_000) == exact
    # Estimates of a server that has just started are 0.
    assert backlog(full, limit=10, total=0) == exact


@contextmanager
def sampler(
    database: Database, metrics: Metrics, *, block_keys: bool = False
) -> Iterator[Callable[[], None]]:
    settings = streaming(dsn=database.dsn, bootstrap="nowhere", topic="t", block_keys=block_keys)
    made = make_sampler(settings, metrics, make_roster(settings, 5.0))
    yield made.sample
    made._session.close()  # noqa: SLF001


def sampled(database: Database, *, block_keys: bool = False) -> Metrics:
    metrics = Metrics()
    with sampler(database, metrics, block_keys=block_keys) as sample:
        sample()
    return metrics
