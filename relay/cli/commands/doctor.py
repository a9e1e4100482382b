# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer

from relay.cli.commands.options import AsJson


def doctor(
    *,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option(help="Exit 1 where there are warnings.")] = False,
) -> None:
    """Find out what ails the outbox and its relays, and what to do about it.

    Looks at what `relay check` looks at; then at the database user's rights, the plan of the claim,
    vacuum and what holds it back, clocks, the sequence after a restore, the rights on each topic
    that rows wait for, and its size limit. Run it with the relay's own settings. Reads no payload,
    and changes nothing.
    """
    from relay.cli.commands.telling import tell
    from relay.operations.doctor import diagnose

    tell(diagnose(), as_json=as_json, strict=strict)
