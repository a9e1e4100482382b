# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from dataclasses import asdict
from typing import Annotated

import typer

from relay.cli.commands.options import AsJson, as_text


def show(
    row_id: Annotated[int, typer.Argument(metavar="ID", min=1, help="The row's id, or seq.")],
    *,
    payload: Annotated[
        bool, typer.Option("--payload", help="Its content too, with secrets redacted.")
    ] = False,
    unredacted: Annotated[
        bool, typer.Option("--unredacted", help="Its content as it is stored.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one row of the outbox.

    Needs the role outbox_reader; for the content outbox_payload_reader as well. Exits 1 where
    there is no such row: it was published, or discarded (see outbox_audit).
    """
    from relay.errors import RelayError
    from relay.operations.selection import Selection, content, find
    from relay.settings import load

    database = load(database=True).database
    rows = find(database, Selection(ids=[row_id]), limit=1)
    said = content(database, row_id) if rows and (payload or unredacted) else None
    if not rows:
        raise RelayError(f"There is no row {row_id}: it was published, or discarded.")
    shown = asdict(rows[0])
    if said:
        from relay.service.redaction.redactor import Redactor

        redactor = Redactor.from_environment()
        for name, value in asdict(said).items():
            shown[name] = value if unredacted else redactor.redact(value)
    if as_json:
        typer.echo(json.dumps(shown, default=as_text))
    else:
        from relay.cli.printout.rows import print_row

        print_row(shown)
