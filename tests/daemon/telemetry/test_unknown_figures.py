"""Figures that nobody knows: they are NaN, and never 0, which would say that nothing waits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from relay.daemon.assembly import make_roster, make_sampler
from relay.daemon.figures import Figures
from relay.daemon.sampler import Sampler
from relay.daemon.telemetry import process
from relay.daemon.telemetry.metrics import NAMESPACE, Metrics
from relay.daemon.telemetry.process import SamplerInstrumentation
from tests.support.outbox import Outbox
from tests.support.postgres import Database
from tests.support.roles import member
from tests.support.settings import streaming

FIGURES = [
    "lag_seconds", "pending", "held_rows", "paused_rows", "paused_shards", "left_behind_rows",
    "parked_rows", "outbox_bytes", "oldest_writer_seconds", "outbox_dead_tuples",
    "xmin_age_seconds", "xmin_age_transactions",
]  # fmt: skip
SOME = Figures(*range(len(FIGURES)))
SWAP = """
ALTER TABLE outbox RENAME TO former;
CREATE TABLE outbox (LIKE former INCLUDING ALL);
GRANT ALL ON outbox TO outbox_relay
"""
SWAP_TO_ANOTHER_SCHEMA = """
CREATE SCHEMA archive;
GRANT USAGE ON SCHEMA archive TO outbox_relay;
ALTER TABLE outbox SET SCHEMA archive;
CREATE TABLE outbox (LIKE archive.outbox INCLUDING ALL);
GRANT ALL ON outbox TO outbox_relay
"""
# As somebody does who wants it to be right.
FITTED = """
ALTER SEQUENCE outbox_id_seq RENAME TO former_id_seq;
ALTER SEQUENCE outbox_id_seq1 RENAME TO outbox_id_seq;
GRANT SELECT ON outbox_id_seq TO outbox_relay;
ALTER INDEX outbox_pkey RENAME TO f_pkey;
ALTER INDEX outbox_pending RENAME TO f_pending;
ALTER INDEX outbox_parked RENAME TO f_parked
"""
VIEW = """
ALTER TABLE outbox RENAME TO former;
CREATE VIEW outbox AS TABLE former;
GRANT ALL ON outbox TO outbox_relay
"""
PARTITIONED = """
ALTER TABLE outbox RENAME TO former;
CREATE TABLE outbox (LIKE former INCLUDING DEFAULTS) PARTITION BY RANGE (id);
GRANT ALL ON outbox TO outbox_relay
"""


def value(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(f"{NAMESPACE}_{name}")
    assert found is not None
    return found


def unknown(metrics: Metrics) -> list[str]:
    return [name for name in FIGURES if math.isnan(value(metrics, name))]


def test_what_was_never_measured_is_unknown() -> None:
    metrics = Metrics()
    instrumentation = SamplerInstrumentation(metrics)
    assert unknown(metrics) == FIGURES
    # The alert on old samples compares it with the time, and NaN with nothing is true.
    assert value(metrics, "sampled_timestamp_seconds") == 0.0
    instrumentation.sampled(SOME)
    assert unknown(metrics) == []


def test_figures_are_forgotten_at_a_refusal_and_in_an_outage_when_they_are_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics = Metrics()
    instrumentation = SamplerInstrumentation(metrics)
    instrumentation.sampled(SOME)
    instrumentation.failed(outage=True)
    assert unknown(metrics) == []
    monkeypatch.setattr(process, "_LASTS_SECONDS", 0.0)
    instrumentation.failed(outage=True)
    assert unknown(metrics) == FIGURES
    monkeypatch.undo()
    instrumentation.sampled(SOME)
    instrumentation.failed(outage=False)
    assert unknown(metrics) == FIGURES


@contextmanager
def sampler(database: Database, metrics: Metrics) -> Iterator[Sampler]:
    settings = streaming(dsn=database.dsn, bootstrap="nowhere", topic="t")
    made = make_sampler(settings, metrics, make_roster(settings, 5.0))
    try:
        yield made
    finally:
        made._session.close()  # noqa: SLF001


def run_once(made: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it sample once in its own loop, which stops then."""
    sample = made.sample

    def sample_and_stop() -> None:
        made.stop()
        sample()

    monkeypatch.setattr(made, "sample", sample_and_stop)
    made.run()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DROP TABLE outbox CASCADE", "outbox"),
        ("ALTER TABLE outbox ALTER id DROP IDENTITY", "outbox_id_seq"),
        ("REVOKE SELECT ON outbox FROM outbox_relay", "permission denied for table outbox"),
        ("REVOKE UPDATE ON outbox_relay FROM outbox_relay", "permission denied"),
        ("ALTER TABLE outbox RENAME TO former", "outbox"),
        (SWAP, "outbox_id_seq is no part of the table outbox"),
        (SWAP_TO_ANOTHER_SCHEMA, "outbox"),
        (VIEW, "The view public.outbox has the name of another kind"),
        (PARTITIONED, "The partitioned table public.outbox has the name of another kind"),
    ],
)
def test_an_outbox_that_cannot_be_measured_is_unknown(
    database: Database, statement: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    with (
        member(database, "outbox_relay") as user,
        sampler(user, metrics) as made,
        database.connect(autocommit=True) as owner,
    ):
        made.sample()
        assert unknown(metrics) == []
        owner.execute(statement.encode())
        run_once(made, monkeypatch)
        assert unknown(metrics) == FIGURES
        assert why in (made._report().fault or "")  # noqa: SLF001


def test_a_relay_that_never_measured_is_not_ready_and_says_why(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics()
    with (
        member(database, "outbox_relay") as user,
        sampler(user, metrics) as made,
        database.connect(autocommit=True) as owner,
    ):
        assert made.unready == "the outbox was not measured yet: starting"
        owner.execute("REVOKE SELECT ON outbox FROM outbox_relay")
        run_once(made, monkeypatch)
        assert made.unready == (
            "the outbox was not measured yet: permission denied for table outbox"
        )
        owner.execute("GRANT SELECT ON outbox TO outbox_relay")
        made.sample()
        assert made.unready is None


def test_rows_of_a_table_that_was_the_outbox_are_late_and_counted(
    database: Database, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.fill(5, keys=2)
    outbox.connection.execute(
        "UPDATE outbox SET created_at = now() - interval '1 hour', "
        "parked_at = CASE WHEN id = 1 THEN now() END"
    )
    outbox.connection.execute(SWAP.replace("former", '"a % of it"').encode())
    outbox.connection.execute(FITTED)
    metrics = Metrics()
    with sampler(database, metrics) as made:
        made.sample()
        assert (value(metrics, "pending"), value(metrics, "left_behind_rows")) == (0.0, 4.0)
        assert value(metrics, "lag_seconds") == pytest.approx(3600.0, abs=60.0)
        assert "4 rows wait in a table that was the outbox once" in caplog.text
        outbox.connection.execute('DROP TABLE "a % of it" CASCADE')
        made.sample()
        assert (value(metrics, "lag_seconds"), value(metrics, "left_behind_rows")) == (0.0, 0.0)


def test_a_former_table_that_the_relay_may_not_read_hides_nothing(
    database: Database, outbox: Outbox
) -> None:
    outbox.fill(5, keys=2)
    metrics = Metrics()
    with member(database, "outbox_relay") as user, sampler(user, metrics) as made:
        outbox.connection.execute(SWAP.encode())
        outbox.connection.execute(FITTED)
        outbox.connection.execute("REVOKE ALL ON former FROM outbox_relay")
        made.sample()
        assert unknown(metrics) == []
        assert value(metrics, "left_behind_rows") == 0.0
