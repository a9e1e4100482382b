# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer


def triggers(  # noqa: PLR0913 - what can be said about a table
    table: Annotated[str, typer.Argument(help="The table, or SCHEMA.TABLE.")],
    *,
    key: Annotated[
        list[str], typer.Option(help="Column with the key; of several, the first that is set.")
    ],
    columns: Annotated[
        list[str], typer.Option(help="The columns to publish: a,b,c. Nothing else leaves.")
    ] = [],  # noqa: B006 - typer copies it
    identity: Annotated[list[str], typer.Option("--id", help="The columns of the primary key.")] = [
        "id"
    ],  # noqa: B006 - typer copies it
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
    from relay.operator.triggers import NAMES, TrackedTable, listed
    from relay.service.redaction import Redactor

    tracked = TrackedTable(
        table=table,
        name=name or NAMES.get(table.rpartition(".")[2], ""),
        key=listed(key),
        columns=listed(columns),
        identity=listed(identity),
        topic=topic,
    )
    tracked.check(Redactor())
    typer.echo(tracked.drop() if drop else tracked.create(), nl=False)
