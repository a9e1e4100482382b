"""Histories of metrics under which each alert fires, and such under which it stays silent.

One value a minute, as promtool writes them: `0+60x180` begins with 0 and grows by 60.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NAMESPACE: Final = "outbox"
OUTBOX: Final = "relay"
MINUTES: Final = 90

Series = Mapping[str, str]

# A relay that works, `a`, and an API beside it.
HEALTHY: Final[Series] = {
    "up": "1x180",
    "outbox_relay_build_info": "1x180",
    "outbox_relay_enabled": "1x180",
    "outbox_relay_flag_differs": "0x180",
    "outbox_relay_broker_up": "1x180",
    "outbox_relay_lag_seconds": "0x180",
    "outbox_relay_pending": "0x180",
    "outbox_relay_held_rows": "0x180",
    "outbox_relay_paused_shards": "0x180",
    "outbox_relay_parked_rows": "0x180",
    "outbox_relay_recent_drain_timeouts": "0x180",
    "outbox_relay_oldest_writer_seconds": "0x180",
    "outbox_relay_outbox_dead_tuples": "0+1000x180",
    "outbox_relay_xmin_age_seconds": "5x180",
    "outbox_relay_xmin_age_transactions": "100x180",
    "outbox_relay_rows_below_watermark_total": "3x180",
    "outbox_relay_sampled_timestamp_seconds": "0+60x180",
    'outbox_relay_heartbeat_timestamp_seconds{worker="0"}': "0+60x180",
    'outbox_relay_published_total{topic="t"}': "0+1000x180",
    'outbox_relay_leases_total{outcome="done"}': "0+100x180",
    'outbox_api_requests_total{status="200"}': "0+100x180",
}
QUIET: Final[Series] = {'outbox_relay_published_total{topic="t"}': "7x180"}
UNKNOWN: Final = " ".join(["NaN"] * 181)
GONE: Final[Series] = dict.fromkeys(HEALTHY, "1x10 stale")


@dataclass(frozen=True)
class Fires:
    """A history under which an alert fires from some minute on, and others with it."""

    history: Series
    not_at: int
    at: int
    others: tuple[str, ...] = ()


FIRES: Final[Mapping[str, tuple[Fires, ...]]] = {
    "OutboxLagHigh": (Fires({"outbox_relay_lag_seconds": "0+60x180"}, 3, 4),),
    "OutboxLagCritical": (
        Fires({"outbox_relay_lag_seconds": "0+60x180"}, 15, 16, ("OutboxLagHigh",)),
    ),
    "OutboxStalled": (
        Fires(
            {
                "outbox_relay_pending": "7x180",
                'outbox_relay_published_total{topic="t"}': "0+1000x10 10000x170",
            },
            18, 21,
        ),
        Fires(
            {"outbox_relay_pending": "7x180", 'outbox_relay_published_total{topic="t"}': "_x180"},
            4, 5,
        ),
    ),
    "OutboxBacklogGrowing": (Fires({"outbox_relay_pending": "0+1000x180"}, 25, 26),),
    "OutboxPublishErrors": (
        Fires({'outbox_relay_failed_total{topic="t",reason="refused"}': "0+5x180"}, 10, 12),
    ),
    "OutboxTopicOnHold": (Fires({'outbox_relay_holds{topic="t"}': "1x180"}, 9, 10),),
    # One row for a misspelt topic in a quiet service: nobody is woken up.
    "OutboxRowsHeld": (
        Fires(
            {
                **QUIET,
                "outbox_relay_held_rows": "1x180",
                'outbox_relay_holds{topic="misspelt"}': "1x180",
                'outbox_relay_failed_total{topic="misspelt",reason="held"}': "0+2x180",
            },
            14, 15, ("OutboxTopicOnHold",),
        ),
    ),
    "OutboxShardsPaused": (Fires({**QUIET, "outbox_relay_paused_shards": "2x180"}, 59, 60),),
    "OutboxBrokerUnreachable": (Fires({"outbox_relay_broker_up": "0x180"}, 4, 5),),
    "OutboxRowsParked": (Fires({"outbox_relay_parked_rows": "0x5 1x174"}, 6, 7),),
    "OutboxParkedIncreasing": (
        Fires({'outbox_relay_parked_total{topic="t",reason="refused"}': "0+1x180"}, 9, 16),
    ),
    "OutboxLeasesFail": (
        Fires({'outbox_relay_leases_total{outcome="lost"}': "0+1x180"}, 9, 16),
        Fires({'outbox_relay_leases_total{outcome="broken"}': "0+1x180"}, 9, 16),
    ),
    "OutboxRelayDown": (
        Fires(
            {
                "up": "1x10 0x170",
                "outbox_relay_build_info": "1x10 stale",
                'outbox_relay_build_info{instance="b"}': "1x180",
            },
            15, 16,
        ),
    ),
    "OutboxRelayAbsent": (
        Fires(GONE, 15, 16),
    ),
    "OutboxWorkerHangs": (
        Fires({'outbox_relay_heartbeat_timestamp_seconds{worker="0"}': "0+60x10 600x170"}, 12, 13),
    ),
    "OutboxStreamingOff": (
        Fires({"outbox_relay_enabled": "1x10 0x170"}, 25, 26),
        Fires({"outbox_relay_flag_differs": "1x180"}, 14, 15),
    ),
    "OutboxDrainTimedOut": (
        Fires({"outbox_relay_recent_drain_timeouts": "0x10 1x60 0x110"}, 10, 11),
    ),
    "OutboxSamplesOld": (
        # Never measured, and so unknown: no other alert.
        Fires(
            {
                "outbox_relay_sampled_timestamp_seconds": "0x180",
                "outbox_relay_lag_seconds": UNKNOWN,
                "outbox_relay_pending": UNKNOWN,
                "outbox_relay_parked_rows": UNKNOWN,
                "outbox_relay_xmin_age_seconds": UNKNOWN,
            },
            6, 7,
        ),
        Fires({"outbox_relay_sampled_timestamp_seconds": "0+60x10 600x170"}, 16, 17),
    ),
    "OutboxOpenWriter": (Fires({"outbox_relay_oldest_writer_seconds": "0+60x180"}, 6, 7),),
    "OutboxRowsBelowWatermark": (
        Fires({"outbox_relay_rows_below_watermark_total": "0x10 3x170"}, 10, 11),
    ),
    "OutboxBloat": (Fires({"outbox_relay_outbox_dead_tuples": "2000000x180"}, 29, 30),),
    "OutboxXminHeld": (
        Fires({"outbox_relay_xmin_age_seconds": "0+60x180"}, 65, 66),
        Fires({"outbox_relay_xmin_age_transactions": "20000000x180"}, 4, 5),
    ),
    "OutboxApiErrors": (
        Fires({'outbox_api_requests_total{status="500"}': "0+10x180"}, 10, 12),
    ),
}  # fmt: skip

SILENT: Final[Mapping[str, tuple[Series, ...]]] = {
    "OutboxLagHigh": ({"outbox_relay_lag_seconds": "60x180"},),
    "OutboxLagCritical": ({"outbox_relay_lag_seconds": "600x180"},),
    "OutboxStalled": ({"outbox_relay_pending": "7x180"}, QUIET),
    "OutboxBacklogGrowing": (
        {"outbox_relay_pending": "200000-1000x180"},
        {"outbox_relay_pending": "0+50x180"},
    ),
    "OutboxPublishErrors": ({'outbox_relay_failed_total{topic="t",reason="held"}': "0+5x180"},),
    "OutboxTopicOnHold": ({'outbox_relay_holds{topic="t"}': "1x9 stale"},),
    "OutboxRowsHeld": ({"outbox_relay_held_rows": "9x14 0x166"},),
    "OutboxShardsPaused": ({"outbox_relay_paused_shards": "64x59 0x120"},),
    "OutboxBrokerUnreachable": (
        {"outbox_relay_broker_up": "0x180", 'outbox_relay_broker_up{instance="b"}': "1x180"},
        {"outbox_relay_broker_up": "0x180", "outbox_relay_enabled": "0x180"},
    ),
    "OutboxRowsParked": ({"outbox_relay_parked_rows": "0x5 1 0x174"},),
    "OutboxParkedIncreasing": (
        {'outbox_relay_parked_total{topic="t",reason="refused"}': "0+0.5x180"},
    ),
    "OutboxLeasesFail": ({'outbox_relay_leases_total{outcome="lost"}': "0+0.25x180"},),
    "OutboxRelayDown": ({'up{job="other",instance="z"}': "0x180"}, {"up": "1x10 0x4 1x165"}),
    # A rollout: one goes, another comes.
    "OutboxRelayAbsent": (
        {**GONE, 'outbox_relay_build_info{instance="b"}': "_x12 1x170"},
        {"outbox_relay_build_info": "1x10 stale _x2 1x170"},
    ),
    "OutboxWorkerHangs": ({'outbox_relay_heartbeat_timestamp_seconds{worker="1"}': "0+60x180"},),
    "OutboxStreamingOff": ({"outbox_relay_enabled": "0x180"},),
    "OutboxDrainTimedOut": ({"outbox_relay_recent_drain_timeouts": "0x180"},),
    "OutboxSamplesOld": (
        {
            "outbox_relay_sampled_timestamp_seconds": "0x180",
            "outbox_relay_enabled": "0x180",
        },
    ),
    "OutboxOpenWriter": ({"outbox_relay_oldest_writer_seconds": "300x180"},),
    "OutboxRowsBelowWatermark": ({"outbox_relay_rows_below_watermark_total": "9x180"},),
    "OutboxBloat": ({"outbox_relay_outbox_dead_tuples": "2000000x20 100 2000000x20 100x138"},),
    "OutboxXminHeld": ({"outbox_relay_xmin_age_seconds": "3600x180"},),
    "OutboxApiErrors": (
        {'outbox_api_requests_total{status="404"}': "0+900x180"},
        {'outbox_api_requests_total{status="500"}': "0+4x180"},
        {'outbox_api_requests_total{status="503",route="/readyz"}': "0+100x180"},
    ),
}

Test = dict[str, Any]


def tests() -> list[Test]:
    """Return every history as that of an outbox of its own, all in one namespace, for promtool."""
    outboxes: dict[str, Series] = {OUTBOX: {}}
    checks = [_never(OUTBOX)]
    for alert, cases in FIRES.items():
        for number, case in enumerate(cases):
            name = f"{alert}-{number}-fires"
            outboxes[name] = case.history
            fire = sorted({alert, *case.others})
            checks += [_firing(name, case.not_at, alert, []), _firing(name, case.at, ".+", fire)]
    for alert, histories in SILENT.items():
        for number, history in enumerate(histories):
            name = f"{alert}-{number}-is-silent"
            outboxes[name] = history
            checks.append(_never(name, alert))
    return [_test(outboxes, checks), _nothing_is_scraped()]


def tests_of_other_outboxes() -> list[Test]:
    """Return the histories that fire, all of other outboxes than the healthy one: none counts."""
    others = {
        f"{alert}-{number}": case.history
        for alert, cases in FIRES.items()
        for number, case in enumerate(cases)
    }
    return [_test({OUTBOX: {}, **others}, [_never(".*")])]


def tests_of_a_lost_relay() -> list[Test]:
    """Return the history of a release that loses its relay for good, beside a healthy one."""
    checks = [_firing(OUTBOX, at, ".+", ["OutboxRelayAbsent"]) for at in (16, MINUTES)]
    return [_test({OUTBOX: GONE, "other": {}}, [_firing(OUTBOX, 15, ".+", []), *checks])]


def _test(outboxes: Mapping[str, Series], checks: list[Test]) -> Test:
    return {
        "name": "histories",
        "interval": "1m",
        "input_series": [
            {"series": _labelled(series, outbox), "values": values}
            for outbox, changed in outboxes.items()
            for series, values in {**HEALTHY, **changed}.items()
        ],
        "promql_expr_test": checks,
    }


def _nothing_is_scraped() -> Test:
    expected = {"labels": '{alertname="OutboxRelayAbsent"}', "value": 1}
    return {
        "name": "nothing is scraped",
        "interval": "1m",
        "input_series": [],
        "promql_expr_test": [
            {
                "expr": f'group by (alertname) (ALERTS{{alertstate="{state}"}})',
                "eval_time": minutes,
                "exp_samples": [expected],
            }
            for state, minutes in (("pending", "4m"), ("firing", "5m"))
        ],
    }


def _labelled(series: str, outbox: str) -> str:
    name, _, own = series.partition("{")
    labels = {"namespace": NAMESPACE, "job": "j", "instance": f"a-{outbox}"}
    if name != "up":  # which Prometheus itself writes
        labels["outbox"] = outbox
    written = {label: f'"{value}"' for label, value in labels.items()}
    written |= dict(pair.split("=") for pair in own.rstrip("}").split(",") if pair)
    return f"{name}{{{','.join(f'{label}={value}' for label, value in written.items())}}}"


def _firing(outbox: str, minute: int, alert: str, expected: list[str]) -> Test:
    selector = f'outbox="{outbox}",alertname=~"{alert}",alertstate="firing"'
    return {
        "expr": f"group by (alertname) (ALERTS{{{selector}}})",
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in expected],
    }


def _never(outbox: str, alert: str = ".+") -> Test:
    """Return a check that this has never fired."""
    selector = f'outbox=~"{outbox}",alertname=~"{alert}",alertstate="firing"'
    return {
        "expr": f"group by (alertname, outbox) (max_over_time(ALERTS{{{selector}}}[3h]))",
        "eval_time": f"{MINUTES}m",
        "exp_samples": [],
    }
