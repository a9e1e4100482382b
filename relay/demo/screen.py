"""The demo on a terminal of 80 by 24: three lanes with live counters, and the acts below."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from relay.demo.plot import ACTS
from relay.demo.stage import Stage
from relay.demo.witness import Figures, Witness

_REFRESHES: Final = 8
_LANE_LINES: Final = 6
_RATE_SECONDS: Final = 1.0
_STATUS: Final = 16
_STATES: Final = {"running": "green", "killed": "red", "stopped": "dim"}


class Screen:
    """Picture of a stage, drawn anew several times a second."""

    def __init__(self, stage: Stage, witness: Witness) -> None:
        self._stage = stage
        self._witness = witness
        self._seen: deque[tuple[float, int]] = deque()
        self.told: list[str] = []

    def __rich__(self) -> RenderableType:
        figures = self._witness.figures()
        lanes = Table.grid(expand=True)
        for _ in range(3):
            lanes.add_column(ratio=1)
        lanes.add_row(self._service(figures), self._outbox(figures), self._kafka())
        latest = Text("\n".join(self._stage.consumer.latest), no_wrap=True, overflow="ellipsis")
        return Group(
            lanes,
            Panel(latest, title="latest messages", title_align="left", height=6),
            self._acts(),
        )

    def _service(self, figures: Figures) -> Panel:
        writers = self._stage.writers
        rows = [("committed", str(figures.committed)), ("rolled back", str(writers.rolled_back))]
        rows += [(_short(each.status), f"{each.progress} %") for each in writers.installations]
        return _lane("service", rows)

    def _outbox(self, figures: Figures) -> Panel:
        relays = self._stage.relays
        return _lane("outbox", [
            ("waiting", str(figures.waiting)),
            ("parked", Text(str(figures.parked), "red" if figures.parked else "")),
            *((each.name, Text(each.state, _STATES[each.state])) for each in relays),
        ])  # fmt: skip

    def _kafka(self) -> Panel:
        read = len(self._stage.consumer.read)
        away = self._stage.broker.is_away
        return _lane(
            "Kafka",
            [
                ("delivered", str(read)),
                ("a second", str(self._rate(read))),
                (self._stage.broker.name, Text("away", "red") if away else Text("up", "green")),
            ],
        )

    def _rate(self, read: int) -> int:
        now = time.monotonic()
        self._seen.append((now, read))
        while self._seen[0][0] < now - _RATE_SECONDS:
            self._seen.popleft()
        return read - self._seen[0][1]

    def _acts(self) -> Table:
        acts = Table.grid(padding=(0, 1))
        for number, act in enumerate(ACTS):
            if number < len(self.told):
                acts.add_row(Text("✔", "green"), Text(self.told[number]))
            elif number == len(self.told):
                now = Text.assemble((act.title, "bold"), f": {act.happens} …")
                acts.add_row(Text("▶", "cyan"), now)
            else:
                acts.add_row("", Text(act.title, "dim"))
        return acts


@contextmanager
def shown(stage: Stage, console: Console) -> Iterator[Screen]:
    """Show *stage* while the block lasts."""
    with Witness(stage.dsn) as witness:
        screen = Screen(stage, witness)
        with Live(screen, console=console, refresh_per_second=_REFRESHES, transient=True):
            yield screen


def _short(status: str) -> str:
    return status if len(status) <= _STATUS else f"{status[: _STATUS - 1]}…"


def _lane(title: str, rows: Sequence[tuple[str, str | Text]]) -> Panel:
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for name, value in rows:
        grid.add_row(name, value)
    return Panel(grid, title=title, height=_LANE_LINES + 2)
