"""How `relay check` and `relay doctor` tell what they found."""

import json
from collections.abc import Iterable
from dataclasses import asdict

import typer

from relay.cli.printout.findings import print_findings
from relay.operations.preflight import Finding, exit_code


def tell(findings: Iterable[Finding], *, as_json: bool, strict: bool) -> None:
    """Print the findings, faults to standard error as well, and end with the code they call for.

    Raises:
        typer.Exit: always.
    """
    found = list(findings)
    code = exit_code(found, strict=strict)
    if as_json:
        typer.echo(json.dumps({"exit_code": code, "findings": [asdict(each) for each in found]}))
    else:
        print_findings(found)
    for finding in found:
        if finding.outcome in {"failed", "warning"}:
            typer.echo(f"relay: {finding.outcome}: {finding.subject}: {finding.detail}", err=True)
    raise typer.Exit(code)
