"""Pages as HTML. Jinja escapes every value: rows carry hostile text."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from relay.console import spark
from relay.console.access.person import Person
from relay.console.content import Block, Chart, Page
from relay.console.menu import SCREENS

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("relay.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Frame:
    """Surroundings of a page: who sees it, below which path, and the token of its forms."""

    person: Person | None
    root: str
    path: str
    csrf: str = ""
    note: str = ""
    may_sign_out: bool = False


def html(page: Page, frame: Frame) -> str:
    """Return *page* as a whole document."""
    template = _ENVIRONMENT.get_template("page.html")
    return template.render(page=page, frame=frame, screens=SCREENS, assets=_assets(frame.root))


def kind(block: Block) -> str:
    """Return the name of the macro that shows *block*."""
    return type(block).__name__.lower()


def chart_data(chart: Chart) -> str:
    """Return the lines of *chart* as JSON, for the browser to draw."""
    names: Sequence[str] = [name for name, _ in chart.lines]
    values: Sequence[Sequence[float | None]] = [values for _, values in chart.lines]
    return json.dumps({"names": names, "data": [chart.times, *values]})


def _assets(root: str) -> Mapping[str, str]:
    return {name: f"{root}/static/{name}?v={digest}" for name, digest in _DIGESTS.items()}


def _digests() -> dict[str, str]:
    """Return a part of the digest of each file: a new release is not shown with old styles."""
    static = resources.files("relay.console") / "static"
    files = [each for each in static.iterdir() if each.is_file()]
    vendored = [each for each in (static / "vendor").iterdir() if each.is_file()]
    named = {each.name: each for each in files} | {f"vendor/{v.name}": v for v in vendored}
    return {
        name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for name, file in named.items()
    }


def short(count: int) -> str:
    """Return *count* in four characters or so: 950, 12k, 1.2M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            digits = 0 if count >= 10 * size else 1
            return f"{count / size:.{digits}f}{unit}"
    return str(count)


_DIGESTS: Final = _digests()
_ENVIRONMENT.filters |= {
    "kind": kind,
    "short": short,
    "chart_data": chart_data,
    "spark": lambda values: Markup(spark.points(values)),  # noqa: S704 - numbers alone
}
