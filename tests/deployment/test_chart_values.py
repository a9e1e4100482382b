"""values.yaml and values.schema.json: closed, complete, and nothing without an effect."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any, Final

import helm_python
import pytest

from deploy.chart import HELM, load_chart
from deploy.chart_docs import Value, values
from tests.deployment.rendering import text_of
from tests.deployment.value_sets import SETS, SMALLEST, Values

DECLARED: Final = list(values((HELM / "values.yaml").read_text()))
SCHEMA: Final = json.loads((HELM / "values.schema.json").read_text())
# What a schema asks for by name or pattern.
OTHERS: Final[dict[str, Any]] = {
    "image.digest": "sha256:" + "0" * 64,
    "image.pullPolicy": "Always",
    "kafka.securityProtocol": "SASL_PLAINTEXT",
    "kafka.sasl.mechanism": "SCRAM-SHA-256",
    "kafka.properties": {"linger.ms": 7},
    "environment": {"OTHER": "x"},
    "api.environment": {"OTHER": "x"},
    "console.environment": {"RELAY_CONSOLE_PROXY_ADDRESSES": "10.0.0.0/8"},
    "console.url": "https://other.example.org",
    "autoscaling.kind": "keda",
    "autoscaling.trigger": "postgresql",
    "autoscaling.prometheusAddress": "http://elsewhere:9090",
    "podMonitor.interval": "7s",
    "prometheusRule.rules": {"OutboxBloat": {"enabled": False}},
    "prometheusRule.thresholds.apiErrorRatio": 0.5,
    "imagePullSecrets": ["other"],
    "secrets": ["other"],
    "api.jwks": "https://other.example.org/keys",
}
PORTS: Final = {"networkPolicy.databasePorts", "networkPolicy.kafkaPorts", "networkPolicy.dnsPorts"}


def with_value(given: Values, path: str, value: object) -> Values:
    changed = deepcopy(given)
    *parents, last = path.split(".")
    inner = changed
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return changed


def default(path: str) -> object:
    with load_chart() as chart:
        found: Any = chart.values
    for part in path.split("."):
        found = found[part]
    return found


def another(path: str) -> object:
    if path in OTHERS:
        return OTHERS[path]
    if path in PORTS:
        return [7777]
    match default(path):
        case bool(now):
            other: object = not now
        case int(now):
            other = now + 1
        case str():
            other = "other"
        case list():
            other = [{"name": "other"}]
        case _:
            other = {"other": "x"}
    return other


def test_values_are_few_and_each_is_explained() -> None:
    assert len((HELM / "values.yaml").read_text().splitlines()) < 250
    assert [value.path for value in DECLARED if not value.comment] == []


@pytest.mark.parametrize("path", [value.path for value in DECLARED])
def test_every_value_has_an_effect(path: str) -> None:
    others = (another(path), default(path))
    assert any(changes(name, path, other) for name in SETS for other in others)


def changes(name: str, path: str, other: object) -> bool:
    changed = with_value(SETS[name], path, other)
    if changed == SETS[name]:
        return False
    # `replicas` and others count only without one that wins over them.
    try:
        return text_of(changed) != unchanged(name)
    except helm_python.HelmRenderError:
        return False


@cache
def unchanged(name: str) -> str:
    return text_of(SETS[name])


def test_a_value_of_another_type_is_refused() -> None:
    wrong = SMALLEST
    for value in DECLARED:
        other: object = "text" if not isinstance(default(value.path), str) else ["list"]
        wrong = with_value(wrong, value.path, other)
    refused = refusals(wrong)
    assert {value.path for value in DECLARED} <= {at.replace("/", ".") for at in refused}


def refusals(given: Values) -> dict[str, str]:
    """What the schema says against these values, by the place of each."""
    with pytest.raises(helm_python.HelmValuesError) as raised:
        text_of(given)
    return dict(re.findall(r"- at '/?(.*?)': (.*)", str(raised.value)))


def test_the_schema_has_these_values_and_no_others() -> None:
    written = {value.path for value in DECLARED}
    assert set(_properties(SCHEMA, ())) == written | {"global"}


def _properties(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for name, inner in schema["properties"].items():
        if "properties" in inner:
            yield from _properties(inner, (*path, name))
        else:
            yield ".".join((*path, name))


def test_every_level_is_closed() -> None:
    levels = ["", *_groups(SCHEMA, ())]
    wrong = SMALLEST
    for level in levels:
        wrong = with_value(wrong, f"{level}.nonsense".lstrip("."), 1)
    refused = refusals(wrong)
    for level in levels:
        assert "'nonsense' not allowed" in refused[level.replace(".", "/")], level


def _groups(schema: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for name, inner in schema["properties"].items():
        if "properties" in inner:
            yield ".".join((*path, name))
            yield from _groups(inner, (*path, name))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("image.digest", "latest"),
        ("kafka.topic", "no such topic"),
        ("kafka.sasl.mechanism", "GSSAPI"),
        ("drainBudgetSeconds", 0),
        ("metricsPort", 70_000),
        ("environment", {"lower": "x"}),
        ("autoscaling.maxReplicas", 65),
        ("networkPolicy.kafkaPorts", []),
        ("replicas", -1),
    ],
)
def test_a_wrong_value_is_refused(path: str, wrong: object) -> None:
    with pytest.raises(helm_python.HelmValuesError):
        text_of(with_value(SMALLEST, path, wrong))


def test_comments_are_found_above_and_behind() -> None:
    found = list(values("# Above\n# it.\none: 1\ntwo:\n  three: {a: 1}  # Behind it.\n"))
    assert found == [Value("one", "1", "Above it."), Value("two.three", "{a: 1}", "Behind it.")]
