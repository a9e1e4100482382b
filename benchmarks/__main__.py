"""``python -m benchmarks``: measure on a real PostgreSQL and a real Kafka on this machine."""

import signal
from collections.abc import Callable
from typing import Annotated, Final

import typer

from benchmarks import (
    doorbell,
    drain,
    large_backlog,
    latency,
    listing,
    missing_topic,
    open_writer,
    pinned,
    rates,
    refused,
    report,
    writing,
)
from benchmarks.figures import Figures
from benchmarks.progress import Progress
from benchmarks.sizes import FULL_ROWS, Sizes
from benchmarks.stage import SHARED_BUFFERS_MIB, Stage, stage

MEASUREMENTS: Final[dict[str, Callable[[Stage], Figures]]] = {
    "latency": latency.measure,
    "rates": rates.measure,
    "doorbell": doorbell.measure,
    "drain": drain.measure,
    "pinned": pinned.measure,
    "open_writer": open_writer.measure,
    "backlog": large_backlog.measure,
    "missing": missing_topic.measure,
    "refused": refused.measure,
    "writing": writing.measure,
    "listing": listing.measure,
}


def main(
    rows: Annotated[
        int, typer.Option(min=10_000, help="The largest backlog; less than a million is short.")
    ] = FULL_ROWS,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(MEASUREMENTS)}; may be repeated.")
    ] = None,
    shared_buffers_mib: Annotated[
        int, typer.Option(min=1, help="PostgreSQL's; a quarter of the memory, at most 4 GiB.")
    ] = SHARED_BUFFERS_MIB,
) -> None:
    """Measure, print a table, and write benchmarks/latest.json."""
    # As Ctrl-C does: the servers are stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sizes = Sizes(rows)
    conditions = {"rows": rows, "short": sizes.short, "shared_buffers_mib": shared_buffers_mib}
    chosen = {name: MEASUREMENTS[name] for name in only or MEASUREMENTS}
    figures: Figures = {}
    with Progress(len(chosen)) as progress, stage(sizes, progress, shared_buffers_mib) as on:
        drain.warm_up(on)
        for measure in chosen.values():
            figures |= measure(on)
            progress.step()
        figures |= {
            "lost": on.account.lost,
            "duplicates": on.account.duplicates,
            "inversions": on.account.inversions,
        }
    figures = {name: round(value, 3) for name, value in figures.items()}
    report.write(figures, conditions)
    report.show(figures, conditions)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(main)
app()
