from typing import Annotated

import typer

from relay.cli.options import AsJson, Person


def top(
    *,
    every: Annotated[
        float, typer.Option(min=0.2, metavar="SECONDS", help="Time between two looks.")
    ] = 2.0,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """Watch the outbox live: what `relay status` shows, moving.

    Keys show shards, parked rows, keys, topics and relays; there shards are paused and resumed,
    parked rows requeued and discarded, each with a reason that is typed. Without a terminal, or
    with --json, prints a line at each look. Needs the role outbox_reader; to change anything
    outbox_operator.
    """
    import sys
    from contextlib import closing, suppress

    from relay.cli.top.live import print_lines, show
    from relay.cli.top.looks import Looks
    from relay.cli.top.screen import Screen

    with closing(Looks()) as looks, suppress(KeyboardInterrupt, BrokenPipeError):
        if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
            print_lines(looks, every, as_json=as_json)
        else:
            show(looks, Screen(person), every)
