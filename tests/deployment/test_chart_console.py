"""The console in the chart: people sign in, secrets come by reference, and it is reached alone."""

from typing import Any

import helm_python
import pytest

from tests.deployment.rendering import environment, only, render, validate
from tests.deployment.value_sets import CONSOLE, PEERS, SMALLEST, Values

NAME = "relay-console"


def rendered(**more: object) -> list[dict[str, Any]]:
    return render(SMALLEST | {"console": CONSOLE} | more)


def test_it_has_all_that_it_needs_and_kubernetes_takes_it() -> None:
    objects = rendered()
    for manifest in objects:
        if manifest["kind"] != "Route":
            validate(manifest)
    (container,) = only(objects, "Deployment", NAME)["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["console"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "console"}
    assert {"secretRef": {"name": "outbox-console"}} in container["envFrom"]
    service = only(objects, "Service", NAME)
    assert service["spec"]["ports"][0]["targetPort"] == "console"
    assert only(objects, "Ingress", NAME)["spec"]["rules"][0]["host"] == "outbox.example.org"
    assert only(objects, "Route", NAME)["spec"]["to"]["name"] == NAME


def test_it_has_a_credential_of_its_own_and_its_settings_alone() -> None:
    objects = rendered(environment={"OUTBOX_SCHEMA": "outbox"})
    console = environment(objects, "Deployment", NAME)
    assert "outbox-console-database" in str(console["DATABASE_URL"])
    assert console["RELAY_CONSOLE_URL"] == "https://outbox.example.org"
    assert console["OUTBOX_SCHEMA"] == "outbox"
    relay = environment(objects, "Deployment", "relay")
    assert not [name for name in relay if name.startswith("RELAY_CONSOLE")]


def test_the_network_lets_browsers_in_and_the_provider_be_asked() -> None:
    objects = rendered(networkPolicy={"enabled": True, "consoleFrom": PEERS})
    spec = only(objects, "NetworkPolicy", NAME)["spec"]
    assert spec["ingress"] == [{"ports": [{"port": "console"}], "from": PEERS}]
    assert {443, 5432, 9092} <= {port["port"] for rule in spec["egress"] for port in rule["ports"]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"secret": ""}, "console.secret is missing"),
        ({"sessionSecret": ""}, "console.sessionSecret is missing"),
        ({"environment": {}}, "says not who may in"),
        ({"ingress": {"enabled": True}}, "console.ingress.host is missing"),
        ({"url": "outbox.example"}, "url"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_would_not_work_is_said(changed: Values, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        render(SMALLEST | {"console": CONSOLE | changed})


def test_nothing_of_it_is_there_by_default() -> None:
    assert "console" not in str(render(SMALLEST))
