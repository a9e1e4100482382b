# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer


def triggers(
    table: Annotated[str, typer.Argument(help="The table, or SCHEMA.TABLE.")],
    *,
    key: Annotated[
        str, typer.Option(help="The column with the key; of several (a,b) the first that is set.")
    ],
    columns: Annotated[
        str, typer.Option(help="The columns to publish: a,b,c. Nothing else leaves.")
    ] = "",
    identity: Annotated[
        str, typer.Option("--id", help="The column or columns of the primary key.")
    ] = "id",
    name: Annotated[
        str | None, typer.Option(help="The name on the stream, such as ClusterState.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="The topic; else the relay's default topic.")
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Print how to take it away again.")] = False,
) -> None:
    """Print the SQL of a trigger that publishes snapshots of a table, whoever writes it.

    For services in any language and for code that is not yours. A transaction yields one snapshot
    of each row that it changed: the row at the commit, or of a deleted row the last one with
    "deleted": true. While streaming is switched off it writes nothing. Needs no database; pipe the
    output into psql.
    """
    from relay.formats import format_of
    from relay.operations.triggers import TrackedTable, listed
    from relay.service.redaction.redactor import Redactor
    from relay.settings import load

    settings = load()
    names = format_of(settings.events.stream_preset).table_names
    tracked = TrackedTable(
        table=table,
        name=name or names.get(table.rpartition(".")[2], ""),
        key=listed(key),
        columns=listed(columns),
        identity=listed(identity),
        topic=topic,
    )
    tracked.check(Redactor.from_environment())
    sql = tracked.drop() if drop else tracked.create(settings.database.outbox_schema)
    typer.echo(sql, nl=False)
