from typing import Annotated

import typer

from relay.cli.options import AsJson


def triggers(  # noqa: PLR0913 - an option each
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="Name of the table, or SCHEMA.TABLE.")
    ],
    *,
    key: Annotated[
        str, typer.Option(help="Column with the key; of several (a,b) the first that is not null.")
    ],
    columns: Annotated[
        str,
        typer.Option(help="Columns to publish (a,b,c), or paths into JSON (a.x.y); no others."),
    ] = "",
    identity: Annotated[str, typer.Option("--id", help="Columns of the primary key.")] = "id",
    name: Annotated[
        str | None, typer.Option(help="Name on the stream, such as ClusterState.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Topic of the snapshots; by default the relay's own.")
    ] = None,
    inserts: Annotated[
        bool,
        typer.Option("--inserts", help="Publish inserts alone, as those of an events table are."),
    ] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Print the SQL that removes it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the SQL of a trigger that publishes snapshots of a table.

    For services in any language, and for code that is not yours. A transaction yields one snapshot
    of each row that it changed: the row as committed, or the last one with "deleted": true. Nothing
    is written while streaming is off. Needs no database; pipe the output into psql.
    """
    from relay.cli.printout.json_lines import print_json
    from relay.formats import format_of
    from relay.operations.triggers import TrackedTable, listed
    from relay.service.redaction.redactor import Redactor
    from relay.settings import load

    settings = load()
    form = format_of(settings.events.stream_preset)
    named = name or form.table_names.get(table.rpartition(".")[2], "")
    tracked = TrackedTable(
        table=table,
        name=named,
        key=listed(key),
        columns=listed(columns),
        identity=listed(identity),
        topic=topic,
        no_key=form.no_key,
        absent=form.absent(named),
        inserts=inserts,
    )
    tracked.check(Redactor.from_environment(), form)
    script = tracked.drop() if drop else tracked.create(settings.database.outbox_schema)
    if as_json:
        print_json({"table": table, "name": tracked.name, "sql": script})
    else:
        typer.echo(script, nl=False)
