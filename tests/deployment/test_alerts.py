"""The rules that Prometheus alerts by, judged by promtool and by Prometheus itself."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.daemon.telemetry.metrics import Metrics
from relay.demo.ports import LOOPBACK
from tests.support.eventually import eventually
from tests.support.metrics import declared, named, port
from tests.support.outbox import Outbox, Start
from tests.support.ports import free_port
from tests.support.process import ProcessUnderTest
from tests.support.repository import ROOT
from tests.support.requirements import program, promtool

RULES = ROOT / "helm" / "files" / "alerts.yaml"
SCENARIOS = Path(__file__).with_name("alerts_test.yaml")
OPERATIONS = ROOT / "docs" / "operations.md"

ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=[a["alert"] for a in ALERTS])


def test_promtool_takes_the_rules() -> None:
    subprocess.run([promtool(), "check", "rules", str(RULES)], check=True)


def test_each_history_fires_what_it_should() -> None:
    ran = subprocess.run(
        [promtool(), "test", "rules", str(SCENARIOS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@each_alert
def test_each_alert_fires_in_some_history(alert: dict[str, Any]) -> None:
    assert f'alertname="{alert["alert"]}", alertstate="firing"' in SCENARIOS.read_text()


@each_alert
def test_each_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}


@each_alert
def test_each_alert_has_its_section_in_the_runbook(alert: dict[str, Any]) -> None:
    document, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / document).read_text(), re.MULTILINE)
    assert anchor == alert["alert"].lower()
    assert alert["alert"] in headings


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    headings = re.findall(r"^#+ (Outbox\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert headings == [alert["alert"] for alert in ALERTS]


@each_alert
def test_each_alert_asks_for_metrics_that_there_are(alert: dict[str, Any]) -> None:
    assert named(alert["expr"]) <= declared(Metrics()).keys()


CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: relay
    static_configs: [{{targets: ['{relay}']}}]
"""


@pytest.fixture
def stuck_relay(outbox: Outbox, relay: Start) -> Iterator[ProcessUnderTest]:
    """A relay whose broker is away, and a row that has waited for an hour."""
    outbox.emit("Event")
    outbox.connection.execute("UPDATE outbox SET created_at = created_at - interval '1 hour'")
    process = relay(KAFKA_BOOTSTRAP_SERVER=f"{LOOPBACK}:1", RELAY_SAMPLE_SECONDS="0.2")
    yield process
    process.close()


def test_prometheus_scrapes_a_relay_and_fires_the_alert_of_its_lag(
    stuck_relay: ProcessUnderTest, tmp_path: Path
) -> None:
    address = f"{LOOPBACK}:{free_port()}"
    # As shipped, but for the two minutes that a test does not have.
    hasty = RULES.read_text().replace("for: 2m", "for: 1s")
    (tmp_path / "alerts.yaml").write_text(hasty)
    configuration = tmp_path / "prometheus.yaml"
    configuration.write_text(
        CONFIGURATION.format(rules="alerts.yaml", relay=f"{LOOPBACK}:{port(stuck_relay)}")
    )
    command = [
        program("prometheus", package="prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]

    def firing() -> dict[str, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://{address}/api/v1/alerts", timeout=5) as answer:
                alerts = json.load(answer)["data"]["alerts"]
        except OSError:  # it is still starting
            return {}
        return {a["labels"]["alertname"]: a for a in alerts if a["state"] == "firing"}

    with ProcessUnderTest(command, {}):
        eventually(lambda: "OutboxLagHigh" in firing(), timeout=60, what="the alert of the lag")
        alert = firing()["OutboxLagHigh"]
    assert alert["labels"]["job"] == "relay"
    assert float(alert["value"]) >= 3600
    assert "has waited for 1h" in alert["annotations"]["description"]
