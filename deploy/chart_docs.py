"""What is said about the chart, written from the chart: `make chart-docs`.

The table of values in helm/README.md comes from values.yaml and its comments, and so does the
template that fills in defaults; docs/rendered shows what the chart makes of the examples, and
deploy/alerts.yaml has its alerts as plain rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from deploy.chart import HELM, REPOSITORY, load_chart, load_sidecar_example

README: Final = HELM / "README.md"
DEFAULTS: Final = HELM / "templates" / "_defaults.tpl"
ALERTS: Final = REPOSITORY / "deploy" / "alerts.yaml"
RENDERED: Final = REPOSITORY / "docs" / "rendered"
POD_VALUES: Final = REPOSITORY / "examples" / "pod" / "values.yaml"
BEGIN: Final = "<!-- values: written by `make chart-docs` -->\n"
END: Final = "<!-- end of values -->\n"


@dataclass(frozen=True)
class Value:
    """One value of the chart: its path, its default as it is written, and its comment."""

    path: str
    default: str
    comment: str


def values(source: str) -> Iterator[Value]:
    """Yield every value of a values.yaml."""
    yield from _below(yaml.compose(source), (), source)


def _below(node: yaml.Node | None, path: tuple[str, ...], source: str) -> Iterator[Value]:
    for key, value in node.value if node else ():
        inner = (*path, key.value)
        if isinstance(value, yaml.MappingNode) and not value.flow_style:
            yield from _below(value, inner, source)
        else:
            written = source[value.start_mark.index : value.end_mark.index]
            comment = _comment(source.splitlines(), key.start_mark.line)
            yield Value(".".join(inner), written, comment)


def _comment(lines: list[str], number: int) -> str:
    """Return the comment of the key on line *number*: behind it, or above it."""
    _, found, behind = lines[number].partition("  # ")
    if found:
        return behind
    above: list[str] = []
    while number and lines[number - 1].lstrip().startswith("# "):
        number -= 1
        above.insert(0, lines[number].lstrip()[2:])
    return " ".join(above)


def documents() -> dict[Path, str]:
    """Return every generated file with what belongs into it."""
    prose, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    return {
        README: f"{prose}{BEGIN}{_table()}{END}{after}",
        DEFAULTS: _defaults(),
        ALERTS: _alerts(),
        RENDERED / "pod.yaml": _pod(),
        RENDERED / "sidecar.yaml": _sidecar(),
    }


def _table() -> str:
    rows = (
        f"| `{value.path}` | `{value.default}` | {value.comment} |\n"
        for value in values((HELM / "values.yaml").read_text())
    )
    return "\n| value | default | meaning |\n| --- | --- | --- |\n" + "".join(rows) + "\n"


def _defaults() -> str:
    """Return the template that knows the default of each path: Helm drops those that are null."""
    rows = "".join(
        f"{value.path}: {value.default}\n" for value in values((HELM / "values.yaml").read_text())
    )
    return (
        "{{- /* Written by `make chart-docs`. */ -}}\n"
        f'{{{{- define "outbox-relay.defaults" -}}}}\n{rows}{{{{- end }}}}\n'
    )


def _pod() -> str:
    with load_chart() as chart:
        rendered = chart.render(
            yaml.safe_load(POD_VALUES.read_text()), name="relay", namespace="outbox"
        )
    return _joined("helm template relay helm --values examples/pod/values.yaml", rendered)


def _sidecar() -> str:
    with load_sidecar_example() as chart:
        rendered = chart.render({}, name="service", namespace="outbox")
    return _joined("helm template service examples/sidecar", rendered)


def _alerts() -> str:
    """Return the alerts on every outbox with the default thresholds, as Prometheus reads them."""
    given = {
        "database": {"secret": "outbox"},
        "streaming": False,
        "prometheusRule": {"enabled": True, "everyOutbox": True},
    }
    with load_chart() as chart:
        rendered = chart.render(given, name="relay", namespace="outbox")
    (text,) = (text for name, text in rendered.items() if name.endswith("monitoring.yaml"))
    (rules,) = filter(None, yaml.safe_load_all(text))
    written: str = yaml.safe_dump(rules["spec"], sort_keys=False, width=100)
    return "# Written by `make chart-docs` from helm/files/alerts.yaml.\n" + written


def _joined(command: str, rendered: dict[str, str]) -> str:
    objects = (
        f"---\n{text.strip()}\n"
        for name, text in sorted(rendered.items())
        if text.strip() and not name.endswith("NOTES.txt")
    )
    return f"# Written by `make chart-docs`: {command}\n" + "".join(objects)


def main() -> None:
    """Write every generated file, the template that others are rendered with first."""
    DEFAULTS.write_text(_defaults())
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
