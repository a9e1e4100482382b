# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

import json
from datetime import datetime
from typing import Annotated

import typer

from relay.cli.commands.options import AsJson


def audit(
    *,
    since: Annotated[
        datetime | None, typer.Option(help="Only what was written or happened from then on (UTC).")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first rows of each table.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for secrets in the outbox and in the table outbox_event; print where, never what.

    Looks as the redactor does, with what RELAY_REDACT_NAMES, RELAY_REDACT_PATTERNS and
    RELAY_REDACT_KEEP add. Exits 1 when something is found. Needs the role outbox_payload_reader.
    """
    from dataclasses import asdict
    from datetime import UTC

    from relay.cli.printout.progress import counting
    from relay.database.session import connected
    from relay.operations.audit import exposures
    from relay.service.redaction.redactor import Redactor
    from relay.settings import load

    database = load(database=True).database
    redactor = Redactor.from_environment()
    start = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
    found = 0
    with connected(database.conninfo(), "relay audit") as connection, counting("rows") as rows:
        for exposure in exposures(connection, redactor, since=start, limit=limit, seen=rows.add):
            found += 1
            if as_json:
                typer.echo(json.dumps(asdict(exposure)))
            else:
                where = f"{exposure.table} {exposure.id}\t{exposure.name}\t{exposure.field}"
                typer.echo("".join(c if c.isprintable() or c == "\t" else "?" for c in where))
    if as_json:
        typer.echo(json.dumps({"rows": rows.count, "found": found}))
    else:
        typer.echo(f"{rows.count:,} rows looked at, {found:,} fields look like secrets.")
    raise typer.Exit(1 if found else 0)
