from typing import Annotated

import typer

from relay.cli.options import AsJson


def show(
    row_id: Annotated[int, typer.Argument(metavar="ID", min=1, help="Id (seq) of the row.")],
    *,
    payload: Annotated[
        bool, typer.Option("--payload", help="Show its content too, with secrets redacted.")
    ] = False,
    unredacted: Annotated[
        bool, typer.Option("--unredacted", help="Show its content as it is stored.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one row of the outbox.

    Exits 1 if there is no such row: it was published or discarded (see outbox_audit). Needs the
    role outbox_reader; for the content outbox_payload_reader as well.
    """
    from dataclasses import asdict

    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.rows import print_row
    from relay.errors import RelayError
    from relay.operations.selection import Selection, content, find
    from relay.operations.whereabouts import whereabouts

    with database("relay show") as connection:
        rows = find(connection, Selection(ids=[row_id]), limit=1)
        stored = content(connection, row_id) if rows and (payload or unredacted) else None
        where = whereabouts(connection, rows)
    if not rows:
        raise RelayError(f"There is no row {row_id}: it was published or discarded.")
    shown = asdict(rows[0]) | {"waits_for": where[row_id].reason}
    if not as_json:
        shown["topic"] = rows[0].topic or where[row_id].topic or "(default)"
    if stored:
        from relay.service.redaction.redactor import Redactor

        redactor = Redactor.from_environment()
        for name, value in asdict(stored).items():
            shown[name] = value if unredacted else redactor.redact(value)
    if as_json:
        print_json(shown)
    else:
        print_row(shown)
