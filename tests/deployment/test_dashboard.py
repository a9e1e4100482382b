"""The dashboard: that it asks for what there is, in a language that Prometheus understands."""

import json
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.daemon.telemetry.metrics import Metrics
from relay.service.api.serving.metrics import ApiMetrics
from tests.support.metrics import declared, named
from tests.support.repository import ROOT
from tests.support.requirements import promtool

DASHBOARD: dict[str, Any] = json.loads((ROOT / "helm" / "files" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {"$__rate_interval": "1m", "$namespace": ".*", "$outbox": ".*"}
SELECTOR = '{namespace=~"$namespace", outbox=~"$outbox"'
METRICS = declared(Metrics()) | declared(ApiMetrics())
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
LINK = "${runbook}#"

each_panel = pytest.mark.parametrize("panel", PANELS, ids=[p["title"] for p in PANELS])


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def test_it_answers_five_questions() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == [
        "Is it keeping up?",
        "Is Kafka taking it?",
        "Is PostgreSQL healthy?",
        "Is the process healthy?",
        "Does the API answer?",
    ]


@each_panel
def test_each_panel_asks_for_metrics_that_there_are(panel: dict[str, Any]) -> None:
    for expression in expressions(panel):
        assert named(expression)
        assert named(expression) <= METRICS.keys()


@each_panel
def test_each_panel_is_of_the_chosen_relays_and_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    for expression in expressions(panel):
        assert SELECTOR in expression
        assert expression.count("outbox_relay_") + expression.count("outbox_api_") <= (
            expression.count(SELECTOR)
        )
    assert all(target["legendFormat"] for target in panel["targets"])


@each_panel
def test_each_panel_leads_to_the_runbook(panel: dict[str, Any]) -> None:
    (link,) = panel["links"]
    alert = link["title"].removeprefix("Runbook: ")
    assert link["url"] == LINK + alert.lower()
    assert f"\n### {alert}\n" in RUNBOOK


@each_panel
def test_lines_of_one_panel_differ_in_colour(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if panel["type"] == "timeseries":
        assert defaults["color"]["mode"] == "palette-classic-by-name"
    colours = [
        each["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
    ]
    assert len(colours) == len(set(colours))


def test_alerts_are_shown_as_annotations() -> None:
    (annotation,) = DASHBOARD["annotations"]["list"]
    assert annotation["enable"]
    assert 'alertstate="firing"' in annotation["expr"]
    assert SELECTOR.lstrip("{") in annotation["expr"]


def test_every_metric_of_the_relay_that_somebody_would_look_for_has_a_panel() -> None:
    shown = {name for panel in PANELS for each in expressions(panel) for name in named(each)}
    assert METRICS.keys() - shown == {
        # Of these the sum, the age or the present state is shown.
        "outbox_relay_batch_rows", "outbox_relay_flag_differs",
        "outbox_relay_last_publish_timestamp_seconds", "outbox_relay_recent_drain_timeouts",
        "outbox_relay_sample_failures_total", "outbox_relay_xmin_age_transactions",
        # The lag counts them.
        "outbox_relay_left_behind_rows",
    }  # fmt: skip


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = []
    for panel in PANELS:
        for number, expression in enumerate(expressions(panel)):
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)  # noqa: PLW2901
            rules.append({"record": f"panel_{panel['id']}_{number}", "expr": expression})
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    subprocess.run([promtool(), "check", "rules", str(file)], check=True)


def test_no_panel_lies_on_another() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        return {
            (at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])
        }  # fmt: skip

    for one, other in combinations(DASHBOARD["panels"], 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
