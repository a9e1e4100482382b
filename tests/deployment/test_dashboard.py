"""The dashboard: that it asks for what there is, in a language that Prometheus understands."""

import json
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.daemon.telemetry.metrics import Metrics
from tests.support.metrics import declared, named
from tests.support.repository import ROOT
from tests.support.requirements import promtool

DASHBOARD: dict[str, Any] = json.loads((ROOT / "helm" / "files" / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {"$__rate_interval": "1m", "$namespace": ".*", "$job": ".*"}

each_panel = pytest.mark.parametrize("panel", PANELS, ids=[p["title"] for p in PANELS])


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def test_it_answers_the_four_questions() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == [
        "Is it keeping up?",
        "Is Kafka taking it?",
        "Is PostgreSQL healthy?",
        "Is the process healthy?",
    ]


@each_panel
def test_each_panel_asks_for_metrics_that_there_are(panel: dict[str, Any]) -> None:
    for expression in expressions(panel):
        assert named(expression)
        assert named(expression) <= declared(Metrics()).keys()


@each_panel
def test_each_panel_is_of_the_chosen_relays_and_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    for expression in expressions(panel):
        assert '{namespace=~"$namespace", job=~"$job"}' in expression
    assert all(target["legendFormat"] for target in panel["targets"])


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
