"""The charts of this repository, loaded with Helm's own library."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import helm_python

REPOSITORY: Final = Path(__file__).parents[1]
HELM: Final = REPOSITORY / "helm"
SIDECAR_EXAMPLE: Final = REPOSITORY / "examples" / "sidecar"


@contextmanager
def load_chart() -> Iterator[helm_python.Chart]:
    """The relay's chart."""
    with helm_python.Chart.load(HELM) as chart:
        yield chart


@contextmanager
def load_sidecar_example() -> Iterator[helm_python.Chart]:
    """The example of the sidecar form, with the relay's chart as the dependency that it names."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "sidecar"
        shutil.copytree(SIDECAR_EXAMPLE, copy, ignore=shutil.ignore_patterns("charts"))
        shutil.copytree(HELM, copy / "charts" / "outbox-relay")
        with helm_python.Chart.load(copy) as chart:
            yield chart
