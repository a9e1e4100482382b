"""The rules that Prometheus alerts by, judged by promtool and by Prometheus itself."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import helm_python
import pytest
import yaml
from prometheus_client import generate_latest

from relay.daemon.telemetry.metrics import Metrics
from relay.demo.ports import LOOPBACK
from relay.service.api.serving.metrics import ApiMetrics
from tests.deployment import alert_histories
from tests.deployment.rendering import only, render
from tests.deployment.value_sets import SMALLEST, Values
from tests.support.eventually import eventually
from tests.support.metrics import declared, named
from tests.support.ports import free_port
from tests.support.process import ProcessUnderTest
from tests.support.repository import ROOT
from tests.support.requirements import program, promtool

RULES = ROOT / "deploy" / "alerts.yaml"
OPERATIONS = ROOT / "docs" / "operations.md"

ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
NAMES = [alert["alert"] for alert in ALERTS]
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=NAMES)


def judged(rules: Path, tests: list[alert_histories.Test], directory: Path) -> None:
    """Fail where promtool finds that a history fires something else than it should."""
    file = directory / "tests.yaml"
    whole = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}
    file.write_text(yaml.safe_dump(whole))
    command = [promtool(), "test", "rules", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def charts_rules(**values: object) -> dict[str, Any]:
    """The rules of the chart, by values of prometheusRule."""
    given = SMALLEST | {"prometheusRule": {"enabled": True, **values}}
    spec: dict[str, Any] = only(render(given), "PrometheusRule")["spec"]
    return spec


def charts_alerts(**values: object) -> dict[str, dict[str, Any]]:
    groups = charts_rules(**values)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    ours = tmp_path / "rules.yaml"
    ours.write_text(yaml.safe_dump(charts_rules()))
    subprocess.run([promtool(), "check", "rules", str(RULES), str(ours)], check=True)


def test_each_alert_has_a_history_that_fires_it_and_one_that_does_not() -> None:
    assert list(alert_histories.FIRES) == list(alert_histories.SILENT) == NAMES


def test_each_history_fires_what_it_should_and_when(tmp_path: Path) -> None:
    judged(RULES, alert_histories.tests(), tmp_path)


def test_rules_of_a_release_know_no_other_outbox(tmp_path: Path) -> None:
    ours = tmp_path / "rules.yaml"
    ours.write_text(yaml.safe_dump(charts_rules()))
    judged(ours, alert_histories.tests_of_other_outboxes(), tmp_path)


def test_a_release_misses_its_relay_for_as_long_as_it_is_installed(tmp_path: Path) -> None:
    ours = tmp_path / "rules.yaml"
    ours.write_text(yaml.safe_dump(charts_rules()))
    judged(ours, alert_histories.tests_of_a_lost_relay(), tmp_path)


@each_alert
def test_each_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert all(
        text.endswith(".") for name, text in alert["annotations"].items() if "url" not in name
    )


@each_alert
def test_each_alert_names_its_outbox(alert: dict[str, Any]) -> None:
    """By its labels, or two releases in one namespace would mix."""
    assert "namespace" in alert["expr"]
    assert re.search(r"by \([^)]*\boutbox\b", alert["expr"])
    of_release = charts_alerts()[alert["alert"]]["expr"]
    selected = re.findall(
        r'outbox_(?:relay|api)_\w+{namespace="outbox",outbox="relay",', of_release
    )
    assert len(selected) == len(re.findall(r"outbox_(?:relay|api)_\w+", of_release))


@each_alert
def test_each_alert_has_its_section_in_the_runbook(alert: dict[str, Any]) -> None:
    document, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / document).read_text(), re.MULTILINE)
    assert anchor == alert["alert"].lower()
    assert alert["alert"] in headings


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    headings = re.findall(r"^#+ (Outbox\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert headings == NAMES


@each_alert
def test_each_alert_asks_for_metrics_that_there_are(alert: dict[str, Any]) -> None:
    there_are = declared(Metrics()) | declared(ApiMetrics())
    assert named(alert["expr"]) <= there_are.keys()


def test_values_set_thresholds_labels_and_the_address_of_the_runbook() -> None:
    alerts = charts_alerts(
        thresholds={"lagHighSeconds": 7, "deadTuples": 123_456_789, "apiErrorRatio": 0.5},
        alertLabels={"team": "installer"},
        runbook="https://wiki.example.org/outbox",
        rules={"OutboxBloat": {"for": "2h", "severity": "info"}},
    )
    assert list(alerts) == NAMES
    assert alerts["OutboxLagHigh"]["expr"].endswith("> 7")
    assert alerts["OutboxBloat"]["expr"].endswith("> 123456789")
    assert alerts["OutboxApiErrors"]["expr"].endswith("> 0.5")
    bloat = alerts["OutboxBloat"]
    assert bloat["labels"] == {"severity": "info", "team": "installer"}
    assert bloat["for"] == "2h"
    assert bloat["annotations"]["runbook_url"] == "https://wiki.example.org/outbox#outboxbloat"


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_has_a_switch(name: str) -> None:
    alerts = charts_alerts(rules={name: {"enabled": False}})
    assert list(alerts) == [other for other in NAMES if other != name]


def test_a_rule_that_there_is_not_is_refused() -> None:
    rules = {"OutboxLagHihg": {"enabled": False}}
    with pytest.raises(helm_python.HelmError, match="OutboxLagHihg: no alert has that name"):
        charts_rules(rules=rules)


def test_the_name_of_the_outbox_is_a_value() -> None:
    given: Values = SMALLEST | {"outbox": "installer", "prometheusRule": {"enabled": True}}
    assert 'outbox="installer"' in yaml.safe_dump(only(render(given), "PrometheusRule"))


class Incident:
    """A relay and an API in which all goes wrong, as their pages of metrics show it."""

    def __init__(self) -> None:
        self._relay, self._api = Metrics("relay"), ApiMetrics("relay")
        self._gone: Metrics | None = Metrics("gone")
        self._scrapes = 0

    def page(self) -> bytes | None:
        """The next scrape of the one that lives."""
        self._scrapes += 1
        relay = self._relay
        for gauge in (
            relay.outbox.lag_seconds, relay.outbox.held_rows, relay.outbox.paused_shards,
            relay.outbox.parked_rows, relay.outbox.recent_drain_timeouts,
            relay.outbox.oldest_writer_seconds, relay.outbox.xmin_age_seconds,
            relay.process.enabled, relay.process.flag_differs, relay.process.holds.labels("t"),
        ):  # fmt: skip
            gauge.set(3_601)
        relay.process.enabled.set(1)
        relay.outbox.dead_tuples.set(2e6)
        relay.outbox.pending.set(20_000 * self._scrapes)
        relay.leases.heartbeat.labels("worker-0").set(0)
        for counter in (
            relay.deliveries.failed.labels("t", "refused"),
            relay.deliveries.parked.labels("t", "refused"),
            relay.leases.ended.labels("lost"),
            relay.outbox.below_watermark,
            self._api.requests.labels("GET", "/events", "500"),
        ):
            counter.inc(100)
        return generate_latest(relay.registry) + generate_latest(self._api.registry)

    def last_page(self) -> bytes | None:
        """The scrape of one that answers once, and then no more."""
        gone, self._gone = self._gone, None
        return generate_latest(gone.registry) if gone else None


@pytest.fixture
def incident() -> Iterator[int]:
    """The port of an incident's pages, /metrics and /gone."""
    shown = Incident()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = shown.page() if self.path == "/metrics" else shown.last_page()
            self.send_response(200 if page else 500)
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


CONFIGURATION = """
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: [alerts.yaml]
scrape_configs:
  - {{job_name: relay, static_configs: [{{targets: ['{target}']}}]}}
  - {{job_name: gone, metrics_path: /gone, static_configs: [{{targets: ['{target}']}}]}}
"""


def test_every_alert_fires_in_prometheus_itself(incident: int, tmp_path: Path) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    # As shipped, but for the minutes that a test does not have.
    (tmp_path / "alerts.yaml").write_text(re.sub(r"\bfor: .*", "for: 0s", RULES.read_text()))
    configuration = tmp_path / "prometheus.yaml"
    configuration.write_text(CONFIGURATION.format(target=f"{LOOPBACK}:{incident}"))
    command = [
        program("prometheus", package="prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]
    seen: dict[str, dict[str, Any]] = {}

    def all_seen() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/api/v1/alerts", timeout=5) as answer:
                alerts = json.load(answer)["data"]["alerts"]
        except OSError:  # it is still starting
            return False
        seen.update({a["labels"]["alertname"]: a for a in alerts if a["state"] == "firing"})
        return seen.keys() == set(NAMES)

    with ProcessUnderTest(command, {}):
        try:
            eventually(all_seen, timeout=60, what="every alert")
        finally:
            assert sorted(seen) == sorted(NAMES)
    for alert in seen.values():
        assert alert["labels"]["outbox"] in {"relay", "gone"}
        assert "<" not in " ".join(alert["annotations"].values()), alert
    assert "has waited for 1h 0m 1s" in seen["OutboxLagHigh"]["annotations"]["description"]
