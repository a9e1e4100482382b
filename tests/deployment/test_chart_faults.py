"""The chart under values and histories that break charts: nulls, large numbers, failed upgrades."""

from copy import deepcopy
from typing import Final

import helm_python
import pytest
import yaml

from deploy.chart import REPOSITORY, load_chart, load_sidecar_example
from deploy.chart_docs import values
from tests.deployment.rendering import (
    Manifest,
    environment,
    jobs,
    only,
    pods,
    removes_what_is_left,
    render,
    render_sidecar,
    text_of,
)
from tests.deployment.value_sets import EVERYTHING, SETS, SMALLEST, Values

with load_chart() as _chart:
    DEFAULTS: Final[Values] = _chart.values
# Given in SMALLEST, since only a person can know them.
ASKED_FOR: Final = {"database", "kafka"}


def _blocks(tree: Values, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in tree.items():
        if isinstance(value, dict):
            found += [(*path, key), *_blocks(value, (*path, key))]
    return found


def _with_nulls(given: Values, paths: list[tuple[str, ...]]) -> Values:
    changed = deepcopy(given)
    for *parents, last in paths:
        inner = changed
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = None
    return changed


def test_a_value_that_is_null_has_its_default() -> None:
    """As a block has whose entries are all commented out."""
    blocks = [path for path in _blocks(DEFAULTS) if path not in {(name,) for name in ASKED_FOR}]
    scalars = [("replicas",), ("metricsPort",), ("image", "tag"), ("secrets",), ("extraEnv",)]
    expected = text_of(SMALLEST)
    for path in blocks + scalars:
        assert text_of(_with_nulls(SMALLEST, [path])) == expected, path


@pytest.mark.parametrize("asked", sorted(ASKED_FOR))
def test_a_required_block_that_is_null_is_asked_for_by_name(asked: str) -> None:
    with pytest.raises(helm_python.HelmError, match=f"{asked}.[a-zA-Z]+ is missing"):
        render(_with_nulls(SMALLEST, [(asked,)]))


def test_a_sidecar_takes_nulls_too() -> None:
    nulls: Values = dict.fromkeys(("environment", "versions", "resources", "podLabels"))
    assert render_sidecar({"outbox-relay": nulls}) == render_sidecar()


def test_an_entry_of_a_default_can_be_taken_away() -> None:
    limits = {"resources": {"limits": {"memory": None}}}
    container = only(render(SMALLEST | limits), "Deployment")
    assert pods([container]).__next__()["containers"][0]["resources"]["limits"] == {}


def test_whole_numbers_reach_the_process_as_whole_numbers() -> None:
    large = 134_217_728
    given: Values = {
        "database": {"secret": "db"},
        "kafka": {"bootstrapServer": "k:1", "properties": {"queue.buffering.max.kbytes": large}},
        "environment": {"RELAY_BATCH_BYTES": large, "HALF": 0.5, "OFF": False, "NONE": 0},
        "api": EVERYTHING["api"] | {"environment": {"RELAY_API_PAGE_BYTES": large}},
        "migration": {"enabled": True},
    }
    rendered = render(given)
    for kind, name in (("Deployment", "relay"), ("Job", None), ("Deployment", "relay-api")):
        found = environment(rendered, kind, name)
        assert found["RELAY_BATCH_BYTES"] == str(large)
        assert found["KAFKA_PROPERTY_QUEUE_BUFFERING_MAX_KBYTES"] == str(large)
        assert (found["HALF"], found["OFF"], found["NONE"]) == ("0.5", "false", "0")
    assert environment(rendered, "Deployment", "relay-api")["RELAY_API_PAGE_BYTES"] == str(large)


@pytest.mark.parametrize("wrong", [2**53, 1e300, 1e-9, -(2**60)])
def test_numbers_that_would_get_an_exponent_or_lose_digits_are_refused(wrong: float) -> None:
    for given in ({"environment": {"X": wrong}}, {"kafka": {"properties": {"x": wrong}}}):
        with pytest.raises(helm_python.HelmValuesError):
            render(SMALLEST | given)


def test_false_wins_over_a_default() -> None:
    off = SMALLEST | {"environment": {"ENABLE_EVENT_STREAMING": False}}
    assert environment(render(off), "Deployment")["ENABLE_EVENT_STREAMING"] == "false"
    writable = SMALLEST | {"securityContext": {"readOnlyRootFilesystem": False}}
    (pod,) = pods([only(render(writable), "Deployment")])
    context = pod["containers"][0]["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["runAsNonRoot"]) == (False, True)


def _patched(live: list[Manifest], former: list[Manifest], wanted: list[Manifest]) -> Manifest:
    """Return `env`, by name, after Helm's three-way merge, which Kubernetes does by name."""
    gone = {entry["name"] for entry in former} - {entry["name"] for entry in wanted}
    merged = {entry["name"]: entry for entry in live if entry["name"] not in gone}
    return merged | {entry["name"]: entry for entry in wanted}


BAD: Final[list[Values]] = [
    {"kafka": {"bootstrapServer": "k:1", "properties": {"no.such.property": 1}}},
    {"kafka": {"bootstrapServer": "k:1", "sasl": {"secret": "s", "user": "u"}}},
    {"kafka": {"bootstrapServer": "k:1", "tls": {"clientSecret": "missing"}}},
    {"environment": {"RELAY_WORKERS": 99}},
    {"database": {"secret": "outbox-database", "host": "nowhere", "name": "x"}},
    {"versions": {"service": "x"}},
    {"secrets": ["missing"]},
]


@pytest.mark.parametrize("bad", BAD, ids=[next(iter(bad)) for bad in BAD])
def test_nothing_of_a_failed_upgrade_is_left_in_the_corrected_one(bad: Values) -> None:
    def container(given: Values) -> Manifest:
        (pod,) = pods([only(render(given), "Deployment")])
        found: Manifest = pod["containers"][0]
        return found

    good, failed = container(SMALLEST), container(SMALLEST | bad)
    assert failed != good
    # Lists without a key to merge by are replaced as they are; `env` is merged by name.
    corrected = _patched(failed["env"], good["env"], good["env"])
    assert list(corrected.values()) == good["env"]
    assert all(each["valueFrom"]["secretKeyRef"].keys() == {"name", "key", "optional"}
               for each in good["env"] + failed["env"])  # fmt: skip


@pytest.mark.parametrize(
    "sasl",
    [{"mechanism": "SCRAM-SHA-512"}, {"mechanism": "PLAIN"}, {"user": "u"}, {"userKey": "k"}],
)
def test_a_credential_without_its_secret_is_refused(sasl: Values) -> None:
    given = {"database": {"secret": "d"}, "kafka": {"bootstrapServer": "k:1", "sasl": sasl}}
    with pytest.raises(helm_python.HelmError, match=r"kafka\.sasl\.secret is missing"):
        render(given)
    render(given | {"secrets": ["has-it-all"]})
    with pytest.raises(helm_python.HelmError, match=r"kafka\.sasl\.secret is missing"):
        render(SMALLEST | {"kafka": {"bootstrapServer": "k:1", "securityProtocol": "SASL_SSL"}})


def test_a_migration_that_cannot_work_ends_at_once_and_is_removed() -> None:
    (job, removal) = jobs(render(SETS["production"]))
    spec = job["spec"]
    rule = spec["podFailurePolicy"]["rules"][0]
    (pod,) = pods([{"kind": "Job", "spec": spec}])
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [2]
    assert rule["onExitCodes"]["containerName"] == pod["containers"][0]["name"]
    assert spec["activeDeadlineSeconds"] < 300, "Helm's own time-out would come first"
    assert spec["ttlSecondsAfterFinished"]
    # Of the same name and without pods: it takes the place of one that is left over.
    assert removal["metadata"]["name"] == job["metadata"]["name"]
    assert removal["metadata"]["annotations"]["helm.sh/hook"] == "post-delete"
    assert removal["spec"]["completions"] == removal["spec"]["parallelism"] == 0
    policy = only(render(SETS["production"]), "NetworkPolicy", "relay-migration")
    hooks = policy["metadata"]["annotations"]
    assert "post-delete" in hooks["helm.sh/hook"]
    assert "hook-succeeded" in hooks["helm.sh/hook-delete-policy"]


def test_the_post_migration_runs_after_the_upgrade() -> None:
    rendered = render(SMALLEST | {"migration": {"post": True}})
    job, _ = jobs(rendered)
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "post-upgrade"
    (pod,) = pods([job])
    assert pod["containers"][0]["args"] == ["migrate", "--phase", "post"]


def test_no_two_objects_of_one_kind_have_one_name() -> None:
    both = {"outbox-relay": {"deployment": {"enabled": True}}}
    for rendered in (*(render(given) for given in SETS.values()), render_sidecar(both)):
        names = [
            (each["kind"], each["metadata"]["name"])
            for each in rendered
            if not removes_what_is_left(each)
        ]
        assert len(names) == len(set(names)), names


@pytest.mark.parametrize(
    ("release", "name"),
    [("relay", "relay"), ("my-relay", "my-relay"), ("service", "service-outbox-relay")],
)
def test_names_come_from_release_and_chart(release: str, name: str) -> None:
    assert only(render(SMALLEST, release), "Deployment")["metadata"]["name"] == name


def test_no_pod_of_ours_gets_the_links_of_services() -> None:
    files = [*(REPOSITORY / "deploy").glob("*.yaml")]
    read = [each for file in files for each in yaml.safe_load_all(file.read_text())]
    ours = [each for each in read if each and "kind" in each]
    charts = [each for given in SETS.values() for each in render(given)]
    found = list(pods([*ours, *charts, *render_sidecar()]))
    assert len(found) > len(SETS)
    assert all(pod["enableServiceLinks"] is False for pod in found)


def test_each_selector_is_of_this_release_alone() -> None:
    for given in SETS.values():
        one, other = render(given, "one-relay"), render(given, "other-relay")
        for each in one:
            selector = each["spec"].get("selector") if "spec" in each else None
            if selector:
                assert selector not in [o.get("spec", {}).get("selector") for o in other], each
    query = only(render(SETS["keda"]), "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
    assert query == 'max(outbox_relay_lag_seconds{namespace="outbox", outbox="relay"}) >= 0'
    hpa = only(render(SMALLEST | {"autoscaling": {"kind": "hpa"}}), "HorizontalPodAutoscaler")
    metric = hpa["spec"]["metrics"][0]["external"]["metric"]
    assert metric["selector"] == {"matchLabels": {"outbox": "relay"}}


@pytest.mark.parametrize(("kind", "field"), [("hpa", "minReplicas"), ("keda", "minReplicaCount")])
def test_the_minimum_of_a_scaler_is_the_number_of_replicas(kind: str, field: str) -> None:
    given = SMALLEST | {"replicas": 3, "autoscaling": {"kind": kind}}
    objects = {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}
    assert only(render(given), objects[kind])["spec"][field] == 3
    with pytest.raises(helm_python.HelmError, match=r"autoscaling\.maxReplicas is less"):
        render(given | {"replicas": 5})


def test_keda_can_ask_the_outbox_itself() -> None:
    rendered = render(SETS["keda asks the outbox"])
    (trigger,) = only(rendered, "ScaledObject")["spec"]["triggers"]
    assert (trigger["type"], trigger["metadata"]["targetQueryValue"]) == ("postgresql", "30")
    assert only(rendered, "TriggerAuthentication")["spec"]["secretTargetRef"] == [
        {"parameter": "connection", "name": "outbox-database", "key": "DATABASE_URL"}
    ]
    (trigger,) = only(render(SETS["keda with parts of a url"]), "ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["host"] == "postgres"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["/events", "/api/assisted-install/v2/events"]),
        ({"RELAY_API_PREFIX": "/own"}, ["/own", "/api/assisted-install/v2/events"]),
        ({"RELAY_API_PREFIX": "/own", "RELAY_API_FACES": "events"}, ["/own"]),
    ],
)
def test_ingress_and_routes_lead_to_the_paths_that_the_api_serves(
    settings: Values, expected: list[str]
) -> None:
    for where in ("api", "chart"):
        given = deepcopy(EVERYTHING)
        given["api"]["environment"] = settings if where == "api" else {}
        given["environment"] = settings if where == "chart" else {}
        rendered = render(given)
        (rule,) = only(rendered, "Ingress", "stream-api")["spec"]["rules"]
        assert [path["path"] for path in rule["http"]["paths"]] == expected
        routes = [
            each["spec"]["path"]
            for each in rendered
            if each["kind"] == "Route" and each["spec"]["to"]["name"] == "stream-api"
        ]
        assert routes == expected


def test_the_operator_has_a_credential_of_its_own() -> None:
    with pytest.raises(helm_python.HelmError, match=r"operator\.secret is missing"):
        render(SMALLEST | {"operator": {"enabled": True}})
    rendered = render(SMALLEST | {"operator": {"enabled": True, "secret": "on-call"}})
    found = environment(rendered, "Deployment", "relay-operator")
    (operator,) = [each for each in rendered if each["metadata"]["name"] == "relay-operator"
                   and each["kind"] == "Deployment"]  # fmt: skip
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    assert {"name": "saved", "mountPath": container["workingDir"]} in container["volumeMounts"]
    assert found["DATABASE_URL"] == ("on-call", "DATABASE_URL")
    assert environment(rendered, "Deployment", "relay")["DATABASE_URL"][0] == "outbox-database"


def test_labels_and_annotations_are_on_every_object() -> None:
    for each in render(EVERYTHING):
        if each["metadata"]["name"] == "relay-extra":  # an extra object is taken as it is
            continue
        assert each["metadata"]["labels"]["cost-centre"] == "7", each
        assert each["metadata"]["annotations"]["example.org/owner"] == "team", each


def test_the_tables_of_values_and_of_defaults_agree() -> None:
    source = (REPOSITORY / "helm" / "values.yaml").read_text()
    defaults = (REPOSITORY / "helm" / "templates" / "_defaults.tpl").read_text()
    for value in values(source):
        assert f"\n{value.path}: {value.default}\n" in defaults


def test_a_second_relay_in_one_chart_has_objects_of_its_own() -> None:
    with load_sidecar_example() as chart:
        rendered = chart.render({}, name="outbox-relay-service", namespace="outbox")
    (settings,) = (text for name, text in rendered.items() if "kind: ConfigMap" in text)
    assert "name: outbox-relay-service-outbox-relay-settings-" in settings
