# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from typing import Annotated

import typer

from relay.operator.commands.options import AsJson


def check(
    *,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option(help="Exit 1 where there are warnings.")] = False,
) -> None:
    """Find out whether a relay could work: configuration, database, schema, broker and topic.

    A broker that does not answer and a topic that is missing are warnings, with exit code 0: the
    relay starts nevertheless, and rows wait in the outbox.
    """
    from dataclasses import asdict

    from relay.operator.preflight import exit_code, findings

    found = list(findings())
    code = exit_code(found, strict=strict)
    if as_json:
        typer.echo(json.dumps({"exit_code": code, "findings": [asdict(each) for each in found]}))
    else:
        from relay.operator.printout.findings import print_findings

        print_findings(found)
    for finding in found:
        if finding.outcome in {"failed", "warning"}:
            typer.echo(f"relay: {finding.outcome}: {finding.subject}: {finding.detail}", err=True)
    raise typer.Exit(code)
