from collections.abc import Iterable

from rich.text import Text

from relay.cli.printout.terminal import console, plain
from relay.operations.findings import Finding, Outcome

_STYLES: dict[Outcome, str] = {
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "unknown": "yellow",
    "skipped": "dim",
}


def print_findings(found: Iterable[Finding]) -> None:
    """Print a paragraph for each finding: its result, its subject, and the command to type."""
    out = console()
    for finding in found:
        result = Text(f"{finding.outcome:<8}", style=_STYLES[finding.outcome])
        subject = Text(f"{finding.subject}: ", style="bold")
        out.print(Text.assemble(result, subject, plain(finding.detail)))
        if finding.command:
            # Whole, to be copied: the terminal breaks it where it must.
            out.print(Text(f"        $ {finding.command}"), soft_wrap=True)
