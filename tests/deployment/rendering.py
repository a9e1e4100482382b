"""The objects that the charts render to."""

from collections.abc import Iterator
from typing import Any

import yaml

from deploy.chart import load_chart, load_sidecar_example
from tests.deployment.value_sets import Values

Manifest = dict[str, Any]


def render(values: Values, release: str = "relay") -> list[Manifest]:
    """Every object of the relay's chart."""
    with load_chart() as chart:
        return _objects(chart.render(values, name=release, namespace="outbox"))


def render_sidecar(values: Values | None = None) -> list[Manifest]:
    """Every object of the example of the sidecar form."""
    with load_sidecar_example() as chart:
        return _objects(chart.render(values or {}, name="service", namespace="outbox"))


def text_of(values: Values) -> str:
    """All that the relay's chart renders, as one text."""
    with load_chart() as chart:
        return "".join(chart.render(values, name="relay", namespace="outbox").values())


def only(objects: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The one object of that kind, and of that name where one is given."""
    (found,) = (
        each
        for each in objects
        if each["kind"] == kind
        and name in {None, each["metadata"]["name"]}
        and not removes_what_is_left(each)
    )
    return found


def removes_what_is_left(manifest: Manifest) -> bool:
    """True of a hook that only takes the place of an object, after an uninstall."""
    annotations = manifest["metadata"].get("annotations", {})
    return bool(annotations.get("helm.sh/hook") == "post-delete")


def jobs(objects: list[Manifest]) -> list[Manifest]:
    """Return every Job, those that only remove another one included."""
    return [each for each in objects if each["kind"] == "Job"]


def containers(objects: list[Manifest]) -> Iterator[Manifest]:
    """Every container of every pod and template of one."""
    for pod in pods(objects):
        yield from pod.get("initContainers", [])
        yield from pod.get("containers", [])


def validate(manifest: Manifest, version: str | None = None) -> None:
    """Raise where this Kubernetes would refuse the object; the newest that has schemas if None."""
    # Here, because it builds grammars for seconds, in every worker that collects the tests.
    import kubernetes_validate  # type: ignore[import-untyped]  # noqa: PLC0415

    newest = kubernetes_validate.latest_version()
    kubernetes_validate.validate(manifest, version or newest, strict=True)


def environment(objects: list[Manifest], kind: str, name: str | None = None) -> dict[str, Any]:
    """Variables of the first container of one object: the value, or the Secret's name and key.

    As Kubernetes has it: a ConfigMap counts, unless `env` names the variable; what an optional key
    that does not exist refers to is not there.
    """
    container = next(containers([only(objects, kind, name)]))
    found: dict[str, Any] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= only(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    names = [variable["name"] for variable in container["env"]]
    assert len(names) == len(set(names)), names
    for variable in container["env"]:
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        if not reference:
            found[variable["name"]] = variable["value"]
        elif not reference.get("optional"):
            found[variable["name"]] = (reference["name"], reference["key"])
    return found


def pods(objects: list[Manifest]) -> Iterator[Manifest]:
    """Specification of every pod, and of every template of one."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each["spec"]
        elif "template" in each.get("spec", {}):
            yield each["spec"]["template"]["spec"]


def _objects(rendered: dict[str, str]) -> list[Manifest]:
    return [
        document
        for name, text in rendered.items()
        if not name.endswith("NOTES.txt")
        for document in yaml.load_all(text, yaml.CSafeLoader)
        if document
    ]
