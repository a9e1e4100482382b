# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from typing import Annotated

import typer

from relay.cli.commands.options import AsJson


def events(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE...", help="A Python module, or a YAML file, that defines events."
        ),
    ],
    *,
    as_json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, to be published as documentation.")
    ] = False,
    strict: Annotated[
        bool, typer.Option(help="Exit 1 where an event breaks a rule of its severity.")
    ] = False,
) -> None:
    """List the events that a service's modules define: name, severity, scope, message, fields.

    Modules are looked for in the current folder too. Importing one runs it.
    """
    from relay.operations.catalogue import CatalogueEntry, catalogue, print_catalogue, to_markdown

    if as_json and markdown:
        raise typer.BadParameter("choose one of --json and --markdown")
    found: list[CatalogueEntry] = catalogue(sources)
    if as_json:
        typer.echo(json.dumps({"events": [entry.as_dict() for entry in found]}))
    elif markdown:
        typer.echo(to_markdown(found))
    else:
        print_catalogue(found)
    broken = [(entry.name, rule) for entry in found for rule in entry.broken_rules]
    for name, rule in broken:
        typer.echo(f"relay: {'failed' if strict else 'warning'}: {name}: {rule}", err=True)
    if strict and broken:
        raise typer.Exit(1)
