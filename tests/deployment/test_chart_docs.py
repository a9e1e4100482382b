"""The generated pages about the chart."""

from deploy.chart import REPOSITORY
from deploy.chart_docs import documents


def test_they_are_fresh() -> None:
    stale = [
        str(path.relative_to(REPOSITORY))
        for path, text in documents().items()
        if not path.exists() or path.read_text() != text
    ]
    assert stale == [], "run `make chart-docs` and commit what it wrote"
