# ruff: noqa: PLC0415 - what a command needs is imported in it, so that the relay stays small

from typing import Annotated

import typer

from relay.cli.commands.options import AsJson


def check(
    *,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option(help="Exit 1 where there are warnings.")] = False,
) -> None:
    """Find out whether a relay could work: configuration, database, schema, broker and topic.

    A broker that does not answer and a topic that is missing are warnings, with exit code 0: the
    relay starts nevertheless, and rows wait in the outbox.
    """
    from relay.cli.commands.telling import tell
    from relay.operations.preflight import findings

    tell(findings(), as_json=as_json, strict=strict)
