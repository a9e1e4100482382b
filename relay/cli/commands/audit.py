from datetime import datetime
from typing import Annotated

import typer

from relay.cli.options import AsJson, in_utc


def audit(
    *,
    since: Annotated[
        datetime | None, typer.Option(help="Only rows written or events happened since (UTC).")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first rows of each table.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search outbox and events for secrets; print where they are, never their values.

    A secret is what the redactor would replace, with RELAY_REDACT_NAMES, RELAY_REDACT_PATTERNS and
    RELAY_REDACT_KEEP applied. Exits 1 when one is found. With --json, each secret is an object on a
    line of its own, and the counts are the last. Needs the role outbox_payload_reader.
    """
    from dataclasses import asdict

    from relay.cli.database import database
    from relay.cli.printout.json_lines import print_json
    from relay.cli.printout.progress import counting
    from relay.operations.secret_audit import exposures
    from relay.service.redaction.redactor import Redactor

    redactor = Redactor.from_environment()
    found = 0
    with database("relay audit") as connection, counting("rows") as rows:
        for exposure in exposures(
            connection, redactor, since=in_utc(since), limit=limit, seen=rows.add
        ):
            found += 1
            if as_json:
                print_json(asdict(exposure))
            else:
                where = f"{exposure.table} {exposure.id}\t{exposure.name}\t{exposure.field}"
                typer.echo("".join(c if c.isprintable() or c == "\t" else "?" for c in where))
    if as_json:
        print_json({"rows": rows.count, "found": found})
    else:
        typer.echo(f"{rows.count:,} rows searched; {found:,} fields seem to hold secrets.")
    raise typer.Exit(1 if found else 0)
