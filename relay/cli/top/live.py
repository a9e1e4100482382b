"""The loop of `relay top`: look, draw, read keys; or a line every interval without a terminal."""

import sys
import time
from collections.abc import Callable

import typer
from rich.console import Console, Group
from rich.live import Live

from relay.cli.printout.json_lines import print_json
from relay.cli.printout.summary import count
from relay.cli.printout.terminal import age
from relay.cli.top.keyboard import NextKeys, keyboard
from relay.cli.top.looks import Look, Looks
from relay.cli.top.screen import Screen


def show(looks: Looks, screen: Screen, seconds: float) -> None:
    """Show the screen until somebody quits."""
    console = Console()
    with (
        keyboard() as pressed,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while not screen.over:
            looks.take()
            _until_next_look(looks, screen, pressed, lambda: _draw(live, looks, screen), seconds)


def _until_next_look(
    looks: Looks, screen: Screen, pressed: NextKeys, draw: Callable[[], None], seconds: float
) -> None:
    assert looks.last is not None  # noqa: S101 - taken before
    until = time.monotonic() + seconds
    while not screen.over and (left := until - time.monotonic()) > 0:
        draw()
        for key in pressed(left):
            asked = screen.question
            screen.press(key, looks.last, looks.connection)
            if asked is not None and screen.question is None:
                # Something was changed: look at once.
                until = 0.0


def _draw(live: Live, looks: Looks, screen: Screen) -> None:
    assert looks.last is not None  # noqa: S101 - taken before
    width, height = live.console.size
    lines = screen.lines(looks.last, width, height, looks.fault)
    live.update(Group(*lines), refresh=True)


def print_lines(looks: Looks, seconds: float, *, as_json: bool) -> None:
    """Print a line at each look, until the reader goes away."""
    while True:
        looks.take()
        look = looks.last
        assert look is not None  # noqa: S101 - taken before
        if looks.fault:
            typer.echo(f"relay: {looks.fault}", err=True)
        elif as_json:
            print_json({**look.outlook.as_dict(), "growth": look.growth})
        else:
            typer.echo(_line(look))
        sys.stdout.flush()
        time.sleep(seconds)


def _line(look: Look) -> str:
    status, outlook = look.status, look.outlook
    return (
        f"{time.strftime('%H:%M:%S')} {outlook.answer}: "
        f"{count(status.pending, capped=status.pending_is_capped)} pending, oldest "
        f"{age(status.oldest_age_seconds)}, {outlook.rate:,.0f} rows/s, "
        f"{count(status.parked, capped=status.parked_is_capped)} parked, "
        f"{len(outlook.facts.streaming)} relays"
    )
