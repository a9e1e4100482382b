"""``python -m tests.soak``: real processes under random faults, judged by what a consumer reads."""

import json
import random
from typing import Annotated

import typer
from rich.console import Console

from tests.soak.run import Plan, Soak


def main(
    seconds: Annotated[float, typer.Option(min=1, help="How long faults happen.")] = 60.0,
    seed: Annotated[int | None, typer.Option(help="Repeats the choice of faults.")] = None,
    relays: Annotated[int, typer.Option(min=2, max=4, help="How many relays work.")] = 3,
    patience: Annotated[
        float, typer.Option(min=1, help="Multiplies what recoveries may take, for a busy machine.")
    ] = 1.0,
    only: Annotated[
        list[str] | None, typer.Option(help="Name of a fault; repeatable. Default: all.")
    ] = None,
) -> None:
    """Run a soak; the last line is one JSON object, the exit code 1 if a promise was broken."""
    console = Console(stderr=True, log_path=False)
    chosen = random.randrange(1 << 31) if seed is None else seed
    console.print(f"seed {chosen}", highlight=False)
    plan = Plan(seconds, chosen, relays, patience, only or ())
    soak = Soak(plan, lambda text: console.log(text, highlight=False))
    found = soak.run()
    typer.echo(json.dumps(found))
    raise typer.Exit(1 if found["violations"] else 0)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)
app()
