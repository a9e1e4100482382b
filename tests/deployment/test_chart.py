"""What the chart renders to."""

import json
import math
from pathlib import Path
from typing import Any

import helm_python
import pytest

from deploy.chart import HELM
from tests.deployment.rendering import (
    Manifest,
    containers,
    environment,
    only,
    pods,
    render,
    render_sidecar,
    text_of,
    validate,
)
from tests.deployment.value_sets import EVERYTHING, PEERS, SETS, SMALLEST, Values

# The oldest that has native sidecars, and the newest that there are schemas for.
KUBERNETES = ("1.29", None)
# Not Kubernetes' own, so there are no schemas for them.
FOREIGN = {"PodMonitor", "PrometheusRule", "Route", "ScaledObject", "TriggerAuthentication"}

each_set = pytest.mark.parametrize("values", SETS.values(), ids=SETS.keys())


def relay(values: Values) -> Manifest:
    return next(containers([only(render(values), "Deployment", "relay")]))


def variables(values: Values) -> dict[str, Any]:
    return environment(render(values), "Deployment", "relay")


@each_set
def test_helm_finds_no_fault(values: Values) -> None:
    report = helm_python.lint(HELM, values, strict=True)
    faults = [found for found in report["messages"] if found["severity"] > 1]
    assert (faults, report["errors"]) == ([], [])


@pytest.mark.early
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_would_take_every_object(version: str | None) -> None:
    rendered = [each for values in SETS.values() for each in render(values)] + render_sidecar()
    for each in rendered:
        if each["kind"] not in FOREIGN:
            validate(each, version)
    assert {each["kind"] for each in rendered} >= FOREIGN | {
        "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy",
        "Pod", "PodDisruptionBudget", "Service", "ServiceAccount",
    }  # fmt: skip


@each_set
def test_every_container_is_restricted(values: Values) -> None:
    for container in containers([*render(values), *render_sidecar()]):
        if container["name"] in {"proxy", "beside"}:
            continue
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["resources"]["limits"]["memory"]


def test_no_uid_is_named_so_that_openshift_can_assign_one() -> None:
    for words in ("runAsUser", "fsGroup"):
        assert words not in text_of(SMALLEST)


@each_set
def test_no_secret_is_made_and_no_token_given(values: Values) -> None:
    rendered = render(values)
    assert "Secret" not in {each["kind"] for each in rendered}
    for each in rendered:
        if each["kind"] == "ServiceAccount":
            assert each["automountServiceAccountToken"] is False
    for pod in pods(rendered):
        assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("budget", [0.5, 10, 42.5])
def test_the_grace_period_follows_the_drain_budget(budget: float) -> None:
    values = SMALLEST | {"drainBudgetSeconds": budget}
    pod = only(render(values), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == math.ceil(budget) + 5
    assert variables(values)["RELAY_DRAIN_BUDGET_SECONDS"] == str(budget)

    both = {"stopSeconds": 20, "outbox-relay": {"drainBudgetSeconds": budget}}
    pod = only(render_sidecar(both), "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 20 + math.ceil(budget) + 5


def test_a_budget_of_disruptions_never_blocks_a_drain() -> None:
    spec = only(render(SMALLEST | {"replicas": 1}), "PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec


def test_selectors_stay_as_they_are() -> None:
    """They cannot be changed: another one would make every upgrade fail."""
    rendered = render(SETS["the api inside"])
    names = {"relay": "outbox-relay", "relay-api": "outbox-relay-api"}
    for name, label in names.items():
        assert only(rendered, "Deployment", name)["spec"]["selector"] == {
            "matchLabels": {
                "app.kubernetes.io/name": label,
                "app.kubernetes.io/instance": "relay",
            }
        }


def test_the_sidecar_is_the_same_container_without_readiness() -> None:
    spec = only(render_sidecar(), "Deployment")["spec"]["template"]["spec"]
    (sidecar,) = spec["initContainers"]
    assert (sidecar.pop("name"), sidecar.pop("restartPolicy")) == ("outbox-relay", "Always")
    alone = relay(
        {"database": {"secret": "postgres"}, "kafka": {"bootstrapServer": "ai-kafka:9092"}}
    )
    assert alone.pop("readinessProbe")["httpGet"]["path"] == "/readyz"
    assert alone.pop("name") == "relay"
    (volatile, other) = (each["envFrom"].pop() for each in (sidecar, alone))
    assert volatile.keys() == other.keys() == {"configMapRef"}
    assert sidecar == alone


def test_an_old_kubernetes_has_no_native_sidecars(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    user = tmp_path / "user"
    (user / "templates").mkdir(parents=True)
    (user / "Chart.yaml").write_text("apiVersion: v2\nname: user\nversion: 0.1.0\n")
    (user / "values.yaml").write_text((HELM / "values.yaml").read_text())
    for template in HELM.glob("templates/*.tpl"):
        (user / "templates" / template.name).write_text(template.read_text())
    (user / "templates" / "pod.yaml").write_text('{{ include "outbox-relay.sidecar" . }}')
    helm_python.lint(user, SMALLEST, kube_version="v1.28.0")
    assert "a native sidecar needs Kubernetes 1.29" in capfd.readouterr().err


def test_secrets_of_strimzi_fit_as_they_are() -> None:
    found = variables(SETS["production"])
    assert found["KAFKA_CLIENT_ID"] == "relay"
    assert found["KAFKA_CLIENT_SECRET"] == ("relay", "password")
    assert found["KAFKA_PROPERTY_SSL_CA_PEM"] == ("stage-cluster-ca-cert", "ca.crt")

    mutual = SMALLEST | {
        "kafka": {
            "bootstrapServer": "kafka:9093",
            "tls": {"caSecret": "stage-cluster-ca-cert", "clientSecret": "relay"},
        }
    }
    found = variables(mutual)
    assert found["KAFKA_SECURITY_PROTOCOL"] == "SSL"
    assert found["KAFKA_PROPERTY_SSL_CERTIFICATE_PEM"] == ("relay", "user.crt")
    assert found["KAFKA_PROPERTY_SSL_KEY_PEM"] == ("relay", "user.key")


def test_environment_has_the_last_word_and_nothing_is_there_twice() -> None:
    own = {"DATABASE_URL": "postgresql://elsewhere/x", "KAFKA_BOOTSTRAP_SERVER": "other:9092"}
    found = variables(SMALLEST | {"environment": own})
    assert {name: found[name] for name in own} == own


def test_the_migration_has_a_credential_of_its_own() -> None:
    rendered = render(EVERYTHING)
    job = only(rendered, "Job", "stream-migration")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate"]
    (container,) = containers([only(render(SETS["production"]), "Job")])
    assert container["args"] == ["migrate"]
    owner = SMALLEST | {"migration": {"enabled": True, "secret": "outbox-owner"}}
    assert environment(render(owner), "Job")["DATABASE_URL"] == ("outbox-owner", "DATABASE_URL")
    assert variables(SMALLEST)["DATABASE_URL"] == ("outbox-database", "DATABASE_URL")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "database.secret is missing"),
        ({"database": {"secret": "db"}}, "kafka.bootstrapServer is missing"),
        (SMALLEST | {"database": {"secret": "db", "host": "h"}}, "database.name is missing"),
        (
            {
                "database": {"secret": "db"},
                "kafka": {"bootstrapServer": "k", "sasl": {"secret": "s"}},
            },
            "kafka.sasl.user is missing",
        ),
        (SMALLEST | {"api": {"enabled": True}}, "api.jwks is missing"),
        (
            SMALLEST | {"api": {"enabled": True, "jwks": "https://keys", "audience": "a"}},
            "api.issuer is missing",
        ),
    ],
)
def test_what_only_a_person_can_know_is_asked_for(values: Values, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        render(values)


def test_the_notes_name_the_release() -> None:
    notes = text_of(SMALLEST)
    assert "kubectl -n outbox exec deployment/relay -- relay check" in notes


def test_the_network_policy_lets_through_what_is_needed_and_nothing_else() -> None:
    spec = only(render(SETS["production"]), "NetworkPolicy", "relay-relay")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"port": "relay-metrics"}]}]
    dns = [{"port": port, "protocol": kind} for port in (53, 5353) for kind in ("UDP", "TCP")]
    assert spec["egress"] == [
        {"ports": dns},
        {"ports": [{"port": 5432}]},
        {"ports": [{"port": 9093}]},
    ]

    spec = only(render(EVERYTHING), "NetworkPolicy", "stream-relay")["spec"]
    assert spec["ingress"][0]["from"] == PEERS
    assert [rule.get("to") for rule in spec["egress"]] == [None, PEERS, PEERS]

    # `helm test` as well, where a namespace denies what no policy allows.
    policy = only(render(EVERYTHING), "NetworkPolicy", "stream-test")
    assert policy["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert [rule.get("to") for rule in policy["spec"]["egress"]] == [None, PEERS, PEERS]

    spec = only(render(EVERYTHING), "NetworkPolicy", "stream-migration")["spec"]
    assert spec["ingress"] == []
    assert len(spec["egress"]) == 2


def test_the_dashboard_is_the_file() -> None:
    rendered = render(EVERYTHING)
    dashboard = only(rendered, "ConfigMap", "stream-dashboard")["data"]["outbox-relay.json"]
    assert json.loads(dashboard) == json.loads((HELM / "files" / "dashboard.json").read_text())
