"""The result: a table for people, a file for programs, and what the figures have to reach."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

LATEST: Final = Path(__file__).parent / "latest.json"
# Of larger figures the decimals say nothing.
_WHOLE: Final = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach: at least *least*, or at most *most*."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether *value* is good enough."""
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


TARGETS: Final[Mapping[str, Target]] = {
    "drain_ratio": Target(least=1.0),
    "four_relays_ratio": Target(least=0.95),
    "pinned_xmin_ratio": Target(least=0.95),
    "open_writer_ratio": Target(least=0.8),
    "backlog_ratio": Target(least=0.95),
    "missing_topic_ratio": Target(least=0.95),
    "few_refused_ratio": Target(least=0.8),
    "many_refused_ratio": Target(least=0.8),
    "writer_ratio": Target(least=0.85),
    "events_list_p99_ms": Target(most=20),
    "latency_p50_ms": Target(most=3),
    "latency_p99_ms": Target(most=12),
    "latency_after_idle_p99_ms": Target(most=12),
    "cpu_percent_idle": Target(most=0.5),
    "cpu_percent_10_per_s": Target(most=3),
    "cpu_percent_100_per_s": Target(most=16),
    "bell_off_ratio": Target(least=0.97),
    "burst_commit_p99_ms": Target(most=25),
    "burst_p99_ms": Target(most=25),
    "rss_mib_outage": Target(most=80),
    "lost": Target(most=0),
    "duplicates": Target(most=0),
    "inversions": Target(most=0),
}


def write(figures: Mapping[str, float], conditions: Mapping[str, int]) -> None:
    """Keep *figures* in `latest.json`, beside the conditions of the run."""
    LATEST.write_text(json.dumps({**conditions, **figures}, indent=2) + "\n")


def show(figures: Mapping[str, float], conditions: Mapping[str, int]) -> None:
    """Print the table."""
    scaled = "a short run: the large figures are scaled down; " if conditions["short"] else ""
    memory = f"{scaled}{conditions['shared_buffers_mib']:,} MiB of shared_buffers"
    title = f"Backlog of {conditions['rows']:,} rows ({memory})"
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for name, value in figures.items():
        target = TARGETS.get(name)
        reached = "" if target is None else "reached" if target.holds(value) else "MISSED"
        shown = f"{value:,.0f}" if value >= _WHOLE else f"{value:g}"
        table.add_row(name, shown, str(target or ""), reached)
    console = Console()
    console.print(table)
    console.print(f"written to {LATEST.relative_to(Path.cwd())}", highlight=False)
