from typing import Annotated

import typer

from relay.cli.options import AsJson


def events(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="MODULE", help="Python modules or YAML files that define events."),
    ],
    *,
    as_json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for documentation.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if an event breaks a rule of its severity.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="List the other events where some cannot work.")
    ] = False,
) -> None:
    """List the events that a service defines: name, severity, scope, message, fields.

    Modules are found in the current folder too. Importing one runs it.
    """
    from relay.cli.modules import look_in_current_folder
    from relay.cli.printout.catalogue import print_catalogue, to_markdown
    from relay.cli.printout.json_lines import print_json
    from relay.operations.catalogue import catalogue

    if as_json and markdown:
        raise typer.BadParameter("choose one of --json and --markdown")
    look_in_current_folder()
    found = catalogue(sources, keep_going=keep_going)
    if as_json:
        print_json({"events": [entry.as_dict() for entry in found.entries]})
    elif markdown:
        typer.echo(to_markdown(found.entries))
    else:
        print_catalogue(found.entries)
    broken = [f"{entry.name}: {rule}" for entry in found.entries for rule in entry.broken_rules]
    for fault in (*found.faults, *broken):
        typer.echo(f"relay: {'failed' if strict else 'warning'}: {fault}", err=True)
    if strict and (found.faults or broken):
        raise typer.Exit(1)
