"""Sampled metrics: every gauge of the outbox takes the figure that was measured for it."""

import time

import pytest

from relay.daemon.assembly import make_roster, make_sampler
from relay.daemon.figures import Figures
from relay.daemon.telemetry.metrics import NAMESPACE, Metrics
from relay.daemon.telemetry.process import SamplerInstrumentation
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.settings import streaming

PREFIX = f"{NAMESPACE}_"


def value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name)


def test_a_sample_sets_every_gauge_to_a_figure_of_its_own() -> None:
    metrics = Metrics()
    figures = Figures(
        pending=2, parked=3, dead_tuples=4, xmin_age_seconds=5.0, xmin_age_transactions=6
    )
    begun = time.time()
    SamplerInstrumentation(metrics).sampled(1.0, figures)
    names = (
        "lag_seconds", "pending", "parked_rows", "outbox_dead_tuples", "xmin_age_seconds",
        "xmin_age_transactions",
    )  # fmt: skip
    assert [value(metrics, name) for name in names] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert begun <= (value(metrics, "sampled_timestamp_seconds") or 0.0) <= time.time()


def test_samples_that_failed_and_rows_that_were_missed_are_counted() -> None:
    metrics = Metrics()
    instrumentation = SamplerInstrumentation(metrics)
    instrumentation.failed()
    instrumentation.missed([7, 8, 9])
    assert value(metrics, "sample_failures_total") == 1.0
    assert value(metrics, "rows_below_watermark_total") == 3.0


def test_the_sampler_shows_what_is_in_the_outbox(database: Database, outbox: Outbox) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, created_at)"
        " SELECT 'n', '{}', now() - interval '1 hour' FROM generate_series(1, 5)"
    )
    outbox.connection.execute("UPDATE outbox SET parked_at = now() WHERE id <= 2")
    metrics = Metrics()
    settings = streaming(dsn=database.dsn, bootstrap="nowhere", topic="t")
    sampler = make_sampler(settings, metrics, make_roster(settings, 5.0))
    sampler.sample()
    sampler._session.close()  # noqa: SLF001
    assert (value(metrics, "pending"), value(metrics, "parked_rows")) == (3.0, 2.0)
    assert value(metrics, "lag_seconds") == pytest.approx(3600.0, abs=60.0)
