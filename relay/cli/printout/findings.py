from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from relay.cli.printout.terminal import console, plain
from relay.operations.findings import Finding, Outcome

_STYLES: dict[Outcome, str] = {
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "skipped": "dim",
}


def print_findings(found: Iterable[Finding]) -> None:
    """Print a table with a line for each finding."""
    table = Table("subject", "result", "detail")
    for finding in found:
        result = Text(finding.outcome, style=_STYLES[finding.outcome])
        table.add_row(finding.subject, result, plain(finding.detail))
    console().print(table)
